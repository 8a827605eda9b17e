"""Functionals: clips as fixed-length vectors, statistics of frame descriptors over time."""
