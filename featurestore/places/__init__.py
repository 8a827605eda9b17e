"""Places where the objects of a store lie: a folder, or any URL that fsspec supports."""
