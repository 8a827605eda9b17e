"""Which clips train, validate and test: the evaluation protocols, one a file. No torch."""
