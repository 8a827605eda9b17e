"""Views of a clip: the original and its augmentations, pure functions of clip, specification and seed."""
