"""Where clips come from: one module a corpus, the folder corpus and the synthetic demo voices."""
