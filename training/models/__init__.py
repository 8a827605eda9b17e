"""Networks: features to logits. One family a file, found by name in :mod:`training.models.registry`."""
