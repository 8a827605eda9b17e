"""Names that Python examples import from this project exist."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY
from tests.docs.fences import fences_of

PACKAGES = frozenset({"schemas", "data", "pipelines", "featurestore", "training"})
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")))


def _imports() -> Iterator[tuple[str, str, str]]:
    """Place, module and name of each import in a Python example."""
    for page in PAGES:
        for fence in fences_of(page, str(page.relative_to(REPOSITORY))):
            if fence.language == "python":
                for node in ast.walk(ast.parse(fence.text)):
                    if isinstance(node, ast.ImportFrom) and node.module:
                        for name in node.names:
                            yield f"{fence.page}:{fence.line + node.lineno - 1}", node.module, name.name


@pytest.mark.parametrize(
    ("place", "module", "name"),
    [found for found in _imports() if found[1].split(".")[0] in PACKAGES],
    ids=lambda value: value,
)
def test_an_imported_name_exists(place: str, module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name), place
