"""Words of messages: counts, near names, printable text."""
