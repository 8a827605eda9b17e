"""From recordings to tensors: decoding, trimming, views and spectral features, on CPU and GPU alike."""
