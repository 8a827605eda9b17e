"""What things are: labels, clips, specifications, recipes, errors. Imports nothing of this project."""
