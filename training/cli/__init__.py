"""The commands of training: they parse, call one function and print."""
