"""A store's objects, rows and tables, read with every byte checked."""
