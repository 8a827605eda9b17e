"""How many units are written at the same time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from pipelines.machine import available_memory, usable_cores
from schemas.spec import StoreSpec

_CORES_PER_WRITER = 4
"""A writer takes about 2 ms of a core per clip with six views, reading and decoding about 6 ms."""

_SHARE_OF_MEMORY = 4
"""Units that are gathered and written take at most a quarter of the available memory."""


def choose_writers(spec: StoreSpec, root: Path = Path("/")) -> int:
    """Threads that write units of ``spec``: one per four usable cores, fewer if memory is short, at least 1.

    ``root`` is the folder that holds ``proc`` and ``sys``. One unit more than that is in memory, the one
    that is being gathered.
    """
    in_memory = available_memory(root) // (_SHARE_OF_MEMORY * unit_bytes(spec))
    return max(1, min(usable_cores(root) // _CORES_PER_WRITER, in_memory - 1))


def unit_bytes(spec: StoreSpec) -> int:
    """Bytes of the arrays of a whole unit."""
    numbers = sum(math.prod(shape) for shape in spec.shapes.values())
    clips = spec.storage.shard_clips * len(spec.view_names)
    return numbers * clips * np.dtype(spec.storage.dtype).itemsize
