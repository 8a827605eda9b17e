"""The ``ser-features`` commands of the store: they parse, call one function and print."""
