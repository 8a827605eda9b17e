"""A CUDA device that is not there, for tests of the GPU's path on a machine without one.

::

    pretend.py   pretend_cuda(): the context in which "cuda" exists
    tags.py      which storages lie on the device, and which are pinned
    calls.py     what Python asks of torch: .device, .to(), .numpy(), factories
    operators.py what torch does, the backward pass included: devices that mix, operators that wait
    streams.py   streams, and races between them
    graphs.py    events and CUDA graphs
    waits.py     the host's waits for the device, by line of this project

Tensors have real values in the machine's memory, and their storages a tag. So whole builds and trainings run,
and their numbers can be compared with the CPU's. It cannot show other rounding, or what
cuDNN demands.
"""
