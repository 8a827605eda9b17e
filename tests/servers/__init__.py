"""Real servers on loopback, as context managers, one module each."""
