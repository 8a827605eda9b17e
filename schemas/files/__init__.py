"""A user's files: paths, formats, texts."""
