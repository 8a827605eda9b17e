"""Names that a place reserves for the process that writes to it; none is an object of a store."""

LOCK, TOKEN = ".build.lock", ".build.token"
"""The lock that a building process holds, and the token of its build."""

PARTIAL_SUFFIX = ".partial"
"""Suffix of files that are being written."""
