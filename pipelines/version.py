"""Version of the code that computes features."""

FEATURE_VERSION = 4
"""Increased with every change of code that changes numbers; part of each unit's fingerprint."""
