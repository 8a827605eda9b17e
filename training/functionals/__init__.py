"""Clips as fixed-length vectors: statistics over time of frame descriptors, computed on the device."""
