"""Empty pictures in place of figures: drawing takes half of a short training, and few tests are about it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from matplotlib.figure import Figure

_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="72pt" viewBox="0 0 72 72"></svg>'
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


@contextmanager
def draw_blank() -> Iterator[None]:
    """Within it, matplotlib writes an empty picture for every figure, in the format asked for.

    Nor does anything make axes: their ticks and labels take as long as a classifier of hundreds of clips.
    """
    blank = {"savefig": _save_blank, "subplots": _make_blank_axes}
    with patch.multiple(Figure, **blank, **dict.fromkeys(("legend", "colorbar", "suptitle"), _draw_nothing)):
        yield


class _NoAxes:
    """In place of axes and of what they return: takes every call, and holds nothing."""

    def __getattr__(self, name: str) -> _NoAxes:
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: object, **__: object) -> _NoAxes:
        return self

    def __getitem__(self, _: object) -> _NoAxes:
        return self

    def __iter__(self) -> Iterator[_NoAxes]:
        return iter(())

    def get_legend_handles_labels(self) -> tuple[list[object], list[str]]:
        return [], []


def _make_blank_axes(
    figure: Figure, rows: int = 1, columns: int = 1, *, squeeze: bool = True, **_: object
) -> Any:
    axes = np.full((rows, columns), _NoAxes(), dtype=object)
    if not squeeze:
        return axes
    return axes.item() if axes.size == 1 else axes.squeeze()


def _draw_nothing(figure: Figure, *_: object, **__: object) -> _NoAxes:
    return _NoAxes()


def _save_blank(figure: Figure, file: Any, **options: Any) -> None:
    data = _SVG if options["format"] == "svg" else base64.b64decode(_PNG)
    file.write(data)
