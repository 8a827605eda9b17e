"""Corpora that are described by a file each: how they are named, labelled and obtained."""
