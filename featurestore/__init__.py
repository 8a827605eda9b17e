"""Tensors to a durable feature store, and back."""
