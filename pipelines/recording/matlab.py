"""Matrices of Matlab 4 and 5, as libsndfile writes them: a sample rate, then the samples."""

from __future__ import annotations

from pipelines.recording.chunks import Order
from pipelines.recording.extent import Extent
from pipelines.recording.source import ByteSource

_WIDTHS_4 = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}
_HEADER_4, _HEADER_5 = 20, 128
_MATRIX, _CHANNELS_FIRST = 14, 3
_TAG = 8


def measure_mat4(source: ByteSource) -> Extent | None:
    """The second matrix of a MAT 4 file; None if it is none of numbers."""
    order: Order = "little" if source.read(0, 4) == bytes(4) else "big"
    at = 0
    for last in (False, True):
        head = source.read(at, _HEADER_4)
        if len(head) < _HEADER_4:
            return None
        kind, rows, columns, _, name = (
            int.from_bytes(head[place : place + 4], order) for place in range(0, _HEADER_4, 4)
        )
        width = _WIDTHS_4.get(kind % 100 // 10)
        if width is None:
            return None
        at += _HEADER_4 + name
        if last:
            return _of_size(source, at, rows * columns * width)
        at += rows * columns * width
    return None


def measure_mat5(source: ByteSource) -> Extent | None:
    """The data of the second matrix of a MAT 5 file; None if there is none."""
    order: Order = "little" if source.read(126, 2) == b"IM" else "big"
    kind, size = _tag(source, _HEADER_5, order)
    if kind != _MATRIX:
        return None
    at = _HEADER_5 + _TAG + size
    if _tag(source, at, order)[0] != _MATRIX:
        return None
    at += _TAG
    for _ in range(_CHANNELS_FIRST):  # flags, dimensions, name
        kind, size = _tag(source, at, order)
        at += _TAG if kind >> 16 else _TAG + size + -size % 8
    kind, size = _tag(source, at, order)
    return None if kind >> 16 else _of_size(source, at + _TAG, size)


def _tag(source: ByteSource, at: int, order: Order) -> tuple[int, int]:
    """Type and size of an element; a type above 65,535 means that its content takes the place of the size."""
    tag = source.read(at, _TAG)
    return int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)


def _of_size(source: ByteSource, at: int, announced: int) -> Extent:
    return Extent(announced, min(announced, max(0, source.size - at)))
