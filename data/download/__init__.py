"""Downloads of corpora that are publicly available: listing, fetching and unpacking."""
