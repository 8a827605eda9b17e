"""Stores from a stranger: each refused with one sentence, within memory and time, and without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.forge import forged
from tests.hostile.probe import Outcome, Probe
from tests.hostile.stores import HOSTILE, Hostile

MOST_MB = 200
MOST_SECONDS = 20.0


def test_a_good_store_passes_all_of_them(tiny_store: Path, probe: Probe) -> None:
    for action in ("open", "read", "xarray", "verify"):
        assert probe(action, tiny_store).kind == "nothing"


def test_a_store_that_was_only_sealed_anew_is_good(tiny_store: Path, tmp_path: Path, probe: Probe) -> None:
    """Else it might be the forging that is noticed, and not the mischief."""
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    forge.put("manifest.parquet", (forge.folder / "manifest.parquet").read_bytes())
    forge.seal()
    assert probe("read", forge.folder).kind == "nothing"


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_it_is_refused(hostile: Hostile, tiny_store: Path, tmp_path: Path, probe: Probe) -> None:
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    hostile.make(forge)
    before = _listing(tmp_path)
    for action in ("open", "read", "verify") if hostile.at == "open" else ("read", "verify"):
        outcome = probe(action, forge.folder)
        _require_refused(outcome, hostile.message if action != "verify" else ".")
    assert _listing(tmp_path) == before


def _require_refused(outcome: Outcome, message: str) -> None:
    import re

    assert outcome.reported, outcome
    assert re.search(message, outcome.message), outcome
    assert "\n" not in outcome.message
    assert len(outcome.message) < 1200, outcome
    assert outcome.grown_mb < MOST_MB, outcome
    assert outcome.seconds < MOST_SECONDS, outcome


def _listing(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.lstat().st_size for path in sorted(folder.rglob("*"))}
