"""Results of a hyper-parameter search: trials, importance of fields, validation against test."""
