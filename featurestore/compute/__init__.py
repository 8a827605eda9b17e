"""Turns recordings into finished units: decode, compute, commit, finalise."""
