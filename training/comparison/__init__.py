"""Two or more results on the same test clips, compared."""
