"""Shared types: labels, clips, specifications, recipes and errors. Imports no other package."""
