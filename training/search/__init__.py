"""Hyper-parameter search on the training and validation clips of each fold of a protocol."""
