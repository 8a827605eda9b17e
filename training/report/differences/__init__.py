"""Differences between results as records, sentences, text and figures."""
