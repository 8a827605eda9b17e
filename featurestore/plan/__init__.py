"""Decides what a build has to do, before anything is computed."""
