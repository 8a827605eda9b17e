"""Stored features as tables and arrays for other tools."""
