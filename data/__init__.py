"""Sources of clips: one module per corpus, the folder corpus and the synthetic demo voices."""
