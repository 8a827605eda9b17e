"""Convert the Sphinx roles in docstrings to Markdown code."""  # noqa: INP001

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|data|attr|mod|exc):`~?([^`]+)`")
_LITERAL = re.compile(r"``([^`]+)``")


class DocstringRoles(griffe.Extension):
    """Convert ``:class:`~schemas.errors.UsageError` `` to `` `UsageError` ``."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Convert the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            text = _ROLE.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", obj.docstring.value)
            obj.docstring.value = _LITERAL.sub(r"`\1`", text)
