"""``report.html``: a run, or a series of folds, as one page that needs nothing beside it."""
