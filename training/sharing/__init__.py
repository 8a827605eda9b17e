"""Runs and series, pushed to a URL and pulled from there."""
