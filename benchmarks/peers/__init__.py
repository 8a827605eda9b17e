"""What else could build the features: other libraries, doing the pipeline's work on the same recordings.

Work of one clip: read, mix to mono, resample to 22,050 Hz, trim at 40 dB, cut or pad to 3 s, make the
original and six views, and compute seven features of each. Nothing is written. A peer covers what its
library has: each module's ``DOES`` says what is left out, and only peers with equal cover may be compared.

Each module has ``NAME``, ``DOES`` and ``run(files)``, which returns how many views were made. Call ``run``
once on recordings of every sample rate before timing it: the first call compiles and builds filter kernels.
Measure in a process that has not called ``keep_freed_memory``, which would serve the peers as well.
"""
