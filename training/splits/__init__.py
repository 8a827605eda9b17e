"""Evaluation protocols, one per file: which clips train, validate and test. No torch."""
