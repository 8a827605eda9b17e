"""Which view of which clip is read, and its class."""
