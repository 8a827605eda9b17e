"""Spectral and temporal features of fixed-length waveforms, equal to librosa 0.11 within float32."""
