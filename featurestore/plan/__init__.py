"""What a build has to do, decided before anything is computed."""
