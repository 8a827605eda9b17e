"""Recordings to finished units: decode, compute, commit, finalise."""
