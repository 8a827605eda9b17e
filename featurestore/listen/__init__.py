"""A clip's views as WAV files, so that a person hears what augmentation did."""
