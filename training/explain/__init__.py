"""What trained models listen to: parts of their input, moments and frequencies of a clip."""
