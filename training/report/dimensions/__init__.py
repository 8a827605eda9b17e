"""Reports of regressions: CCC and RMSE of dimensions as text, figures, model cards and parts of pages."""
