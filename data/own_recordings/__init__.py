"""Own recordings as a corpus: a folder, its description and its table of speakers."""
