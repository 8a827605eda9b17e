"""Downloads of the corpora that their publishers give to anybody: listing, fetching, unpacking."""
