"""The tabular baseline: functionals of each coefficient over time, and a linear support vector machine."""
