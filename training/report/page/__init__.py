"""``report.html``: a run or a series of folds as one self-contained page."""
