"""What the web demo and the service share: forms in memory, sockets, and a server that stops cleanly."""
