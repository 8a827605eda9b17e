"""The on-disk format: names, documents, arrays, tables and their limits."""
