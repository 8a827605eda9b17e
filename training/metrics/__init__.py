"""Metrics, intervals, calibration and the predictions they are computed from. No torch."""
