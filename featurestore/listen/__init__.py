"""``ser-features listen``: the views of a clip as WAV files, to hear what augmentation does."""
