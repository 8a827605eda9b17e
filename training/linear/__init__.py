"""Linear classifiers on functionals or pooled states of encoders, trained in seconds."""
