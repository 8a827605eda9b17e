"""EmoBox's metadata as a corpus: labels and folds from its lists, speakers from the corpus itself."""
