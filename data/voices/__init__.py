"""Synthetic voices for the demo corpus: what they say and how they sound."""
