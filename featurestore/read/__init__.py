"""Reading of a store's objects, rows and tables, with every byte verified."""
