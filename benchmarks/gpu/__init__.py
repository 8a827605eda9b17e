"""The steps of ``benchmarks/gpu_session.py``, each a function of a :class:`~gpu.session.Session`.

::

    session.py     what a step knows: device, folders, size, and how it tells figures
    steps.py       all steps, most valuable first, with their limits
    run_step.py    one step in a process of its own
    machine.py     wheels, versions, clocks, copy rates, tests that need a GPU
    computing.py   features against the CPU's, speed, waits of the host, memory
    building.py    stores, from recordings to disk
    training.py    speed of all models, eager and as graphs
    results.py     what training on a GPU gives: graphs, resume, homes, other commands
    decoding.py    DALI against soundfile
"""
