"""How GPUs multiply float32 numbers: as they are, or rounded to TensorFloat-32 with its 10 bits of mantissa.

By default, torch lets cuDNN round in convolutions and recurrent layers, but not cuBLAS in matrix products. So
a GPU would differ from a CPU by about 1e-3 in one layer and by 1e-6 in the next. Here one rule applies to all
of them. CPUs do not know TensorFloat-32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

_lock = Lock()
_entered = 0
_before = (False, True)


@contextmanager
def float32_products(*, tf32: bool) -> Iterator[None]:
    """Within the context, GPUs may round factors to TensorFloat-32 only if ``tf32``; then all is as before.

    torch's settings apply to the whole process. Of nested and simultaneous contexts the first decides, and
    the last to end restores them.
    """
    global _entered, _before  # noqa: PLW0603 # as the settings are
    with _lock:
        if not _entered:
            _before = _read()
            _write(tf32, tf32)
        _entered += 1
    try:
        yield
    finally:
        with _lock:
            _entered -= 1
            if not _entered:
                _write(*_before)


def _read() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def _write(products: bool, layers: bool) -> None:  # noqa: FBT001
    torch.backends.cuda.matmul.allow_tf32 = products
    torch.backends.cudnn.allow_tf32 = layers
