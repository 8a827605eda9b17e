"""What the commands of a store print."""
