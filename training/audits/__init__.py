"""What a split is audited for: overlaps of any kind between its sides, and copies under other names."""
