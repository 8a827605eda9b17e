"""``ser-features report``: a store on one page, computed without loading whole arrays."""
