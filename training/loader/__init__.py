"""The loader in two halves: *what* is read (:mod:`sampler`), *how* it is read (:mod:`source`, :mod:`ram`)."""
