"""Names that a place sets aside for the process that writes to it; none is an object of a store."""

LOCK, TOKEN = ".build.lock", ".build.token"
"""Held by the process that builds, and the number of its build."""

PARTIAL_SUFFIX = ".partial"
"""Ends the names of files that are being written."""
