"""Thin adapters for frameworks that users already run; each needs its extra (``langchain``, ``mcp``, ``ray``)."""
