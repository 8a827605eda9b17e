"""docs/architecture.md is a map of the repository as it is, and docs/design.md names files that exist."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.conftest import REPOSITORY
from tests.docs import structure_picture

PACKAGES = ("schemas", "data", "pipelines", "featurestore", "training")
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
DESIGN = (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8")
_PATH = re.compile(r"`([a-z_]+(?:/[a-z_.]+)*)`")
NAMED = set(_PATH.findall(PAGE))
"""Paths in backticks: those with a slash, and packages."""


def _folders() -> list[str]:
    """Folders of the packages that hold modules or recipes, without those of templates."""
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    found = {str(PurePosixPath(path).parent) for path in listed}
    return sorted(folder for folder in found if PurePosixPath(folder).name != "templates")


def _layers(package: str) -> list[str]:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and contract.get("containers", ["packages"]) == [package]
    )
    return list(layers)


@pytest.mark.parametrize(
    "path", sorted(name for name in NAMED | set(_PATH.findall(DESIGN)) if name.split("/")[0] in PACKAGES)
)
def test_a_named_path_exists(path: str) -> None:
    assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("folder", _folders())
def test_every_folder_of_the_packages_is_on_the_map(folder: str) -> None:
    assert folder in NAMED


@pytest.mark.parametrize("package", ["packages", "featurestore", "training"])
def test_the_layers_are_those_of_the_import_contracts(package: str) -> None:
    block = PAGE.partition("## Layers")[2].partition("```text\n")[2].partition("```")[0]
    rows = re.search(rf"^{package}\n((?:  .+\n)+)", block, re.MULTILINE)
    assert rows is not None
    assert rows[1].split("\n")[:-1] == [f"  {layer}" for layer in _layers(package)]


def test_the_picture_shows_the_import_contracts() -> None:
    """After a change of them, run python -m tests.docs.structure_picture."""
    assert structure_picture.PICTURE.read_text(encoding="utf-8") == structure_picture.draw()
