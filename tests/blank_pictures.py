"""Empty pictures in place of figures: drawing takes half of a short training, and few tests are about it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from matplotlib.figure import Figure

_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="72pt" viewBox="0 0 72 72"></svg>'
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


@contextmanager
def draw_blank() -> Iterator[None]:
    """Within it, matplotlib writes an empty picture for every figure, in the format asked for."""
    with patch.object(Figure, "savefig", _save_blank):
        yield


def _save_blank(figure: Figure, file: Any, **options: Any) -> None:
    data = _SVG if options["format"] == "svg" else base64.b64decode(_PNG)
    file.write(data)
