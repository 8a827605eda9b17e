"""Recordings as bytes: where their samples lie, whatever the header says, and how libsndfile reads them."""
