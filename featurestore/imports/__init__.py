"""Features that other tools computed become features of a store."""
