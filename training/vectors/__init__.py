"""Clips as fixed-length vectors: statistics of frame descriptors over time, or hidden states of encoders."""
