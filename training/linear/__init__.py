"""Linear classifiers on functionals: baselines that a network has to beat, trained in seconds."""
