"""Audit of a split: overlaps of any kind between its sides, including copies under other names."""
