"""Self-contained HTML pages: one file that needs nothing beside it and asks nothing of the network."""
