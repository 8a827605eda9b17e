"""The format on disk: names, documents, arrays, tables and their limits."""
