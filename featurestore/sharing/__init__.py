"""Stores that teammates share: push, pull, pack and unpack."""
