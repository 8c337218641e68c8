"""Metrics of clarifying questions."""
