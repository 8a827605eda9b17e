"""The ``ser-features`` commands for stores: each parses its options, calls one function and prints."""
