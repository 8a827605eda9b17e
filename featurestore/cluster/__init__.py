"""Builds units with the workers of a Dask cluster."""
