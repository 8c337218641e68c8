"""Retrieval-augmented clarification: clarifying questions whose every option is supported by retrieved passages."""

__version__ = "0.1.0"
