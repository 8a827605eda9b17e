"""Runs and series of runs: their folders, requests and observers."""
