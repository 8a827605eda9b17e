"""Sharing of stores with teammates: push, pull, pack and unpack."""
