"""Linear classifiers on functionals: the baselines that a network has to beat, trained in seconds."""
