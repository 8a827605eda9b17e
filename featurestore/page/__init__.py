"""Self-contained HTML pages: a single file that needs no other files and no network."""
