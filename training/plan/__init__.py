"""A training decided before anything is read or written."""
