"""Store to model to result: splits, audit, loader, models, training loop, metrics."""
