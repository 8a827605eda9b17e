"""``ser-features report``: a store on one page, computed without ever holding its arrays."""
