"""Hostile stores: each a function that turns the folder of a good one into something that must be refused.

All hashes fit, and so does the store's digest, unless that is the point. Reusable wherever a store comes in:
opening, reading, verifying, pulling, unpacking.
"""

from tests.hostile.stores import declared, files, json_texts, names, shards, tables
from tests.hostile.stores.registry import HOSTILE, Hostile

__all__ = ["HOSTILE", "Hostile", "declared", "files", "json_texts", "names", "shards", "tables"]
