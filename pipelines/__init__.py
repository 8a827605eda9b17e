"""Recordings to tensors: decoding, trimming, views and spectral features, the same on CPU and GPU."""
