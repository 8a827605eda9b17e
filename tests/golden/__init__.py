"""What the code answered before its modules moved: a store, runs and the JSON of every command."""
