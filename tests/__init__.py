"""All tests. They compute with one thread: several processes test at a time, and what they compute is small.

Threads that wait for each other cost up to ten times what they save. Tests about threads choose their number.
"""

import os

from threadpoolctl import threadpool_limits

if "OMP_NUM_THREADS" not in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # for libraries that are imported later, and for child processes
    threadpool_limits(1)  # for NumPy, which zarr's plugin for pytest has imported
