"""The loader, in two halves: *what* to read (:mod:`order`) and *how* (:mod:`ram`, :mod:`stream`)."""
