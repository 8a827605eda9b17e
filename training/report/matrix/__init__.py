"""Results of a cross-corpus matrix: its cells, text, table and heat map."""
