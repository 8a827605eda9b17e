"""Samples, views of clips, and their classes."""
