"""Frozen pretrained speech encoders: hidden states of waveforms, one module per family of networks."""
