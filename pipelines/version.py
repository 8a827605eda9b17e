"""The version of the code that computes numbers."""

FEATURE_VERSION = 4
"""Raised with every change of code that changes a number; part of each unit's fingerprint."""
