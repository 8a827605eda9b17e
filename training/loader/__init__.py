"""The loader in two halves: *what* is read (:mod:`order`), *how* it is read (:mod:`ram`, :mod:`stream`)."""
