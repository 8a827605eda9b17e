"""The benchmark of the writing half writes real stores from ready tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks.test_lost_results import load, results

__all__ = ["results"]


@pytest.mark.slow
def test_every_clip_after_the_first_units_is_written_and_timed(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = load("writer")
    monkeypatch.setattr(writer, "BATCH", 4)
    found = writer.write_once("rms,zcr", 556, 1)
    assert found["clips"] == 44
    assert 0 < found["main_cpu_s"] < found["cpu_s"]
    assert {"encode", "hash", "store"} <= set(found["stages_s"])
    assert all(seconds >= 0 for seconds in found["stages_s"].values())
    figures = writer.figures([found])
    assert figures["clips_per_s_per_core"] == pytest.approx(44 / found["cpu_s"])
    assert figures["clips_per_s_projected_for_16_cores"] == pytest.approx(
        min(44 / found["main_cpu_s"], 4 * 44 / (found["cpu_s"] - found["main_cpu_s"]))
    )


@pytest.mark.slow
def test_the_result_is_written(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = load("writer")
    monkeypatch.setattr(writer, "FEATURES", {"all features": "rms,zcr"})
    monkeypatch.setattr(writer, "write_once", lambda *_: pytest.fail("in this process"))
    monkeypatch.setattr(sys, "argv", ["writer.py", "--clips", "513", "--batches", "1", "--repeat", "1"])
    writer.main()
    written = json.loads((results / "writer.json").read_text())
    assert {"machine", "command", "all features"} <= set(written)
    assert written["all features"]["runs"][0]["clips"] == 1
