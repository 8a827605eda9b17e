"""Stores, runs and answers of commands are those of the golden folder.

A failure names the command and the JSON path. If the answer is meant to change, run
``python -m tests.golden.make`` and look at ``git diff``; never make it pass otherwise.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.typing import NDArray

from tests.golden.answers import ANSWERS, RUNS, STORE, build_stores, export, prepare, read_all, train_again
from tests.golden.arithmetic import arithmetic
from tests.golden.commands import working_in
from tests.golden.differences import Tolerance, differences

GOLDEN: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8"))

SAME_MACHINE = arithmetic() == GOLDEN["arithmetic"]
"""Whether this machine rounds as the one that made the golden folder did."""

BUILDING = Tolerance(1e-4, 1e-5, same_bytes=SAME_MACHINE)
READING = Tolerance(1e-4, 1e-5)
"""The golden store and weights are given, so only the rounding of float32 sums is left: about 1e-6."""

TRAINING = Tolerance(1e-5, 1e-6)
"""After ten steps of Adam, figures are 2e-7 apart with other vector instructions, MKL code or two threads.

A learning rate that is 1 % higher moves them by 1e-4 or more.
"""

_FLOAT16_STEP = 2**-8
"""On another CPU, a few values fall on the other side of a rounding to float16."""

_DECIDED_BY_ROUNDING = {
    "demo/zcr": (0.005, 6 / 512),
    "odd/mel": (0.01, 3.0),
    "odd/mfcc": (0.02, 3.0),
    "odd/delta": (0.05, 0.3),
    "odd/delta2": (0.05, 0.3),
}
"""Array → share of the values that may differ on another CPU, and by how much at most.

The sign of a sample that is nearly zero is worth two crossings. Tones have bands that hold nothing but
rounding errors, 75 dB below the tone.
"""


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """The answers of today's code, in the form of the golden ones; the working folder stays open."""
    with working_in(tmp_path_factory.mktemp("golden").resolve()):
        built = dict(build_stores(prepare(Path())))
        shutil.copytree(STORE, "store")
        shutil.copytree(RUNS, "runs")
        yield {"built": built, "trained": dict(train_again()), "read": dict(read_all())}


@pytest.mark.parametrize("name", GOLDEN["built"])
def test_a_store_is_built_as_before(now: dict[str, dict[str, Any]], name: str) -> None:
    if name.startswith("objects of") and not SAME_MACHINE:
        pytest.skip("this CPU rounds otherwise than the one of the golden store; its values are compared")
    _require_same("built", name, now, BUILDING)


def test_the_rebuilt_store_has_the_golden_values(now: dict[str, dict[str, Any]]) -> None:
    golden, built = _arrays(STORE), _arrays(Path("built"))
    assert len(golden) == 18
    assert list(built) == list(golden)
    for name, values in golden.items():
        _require_same_values(name, built[name], values)


def _require_same_values(name: str, built: NDArray[np.floating], golden: NDArray[np.floating]) -> None:
    """Equal values; on another CPU, equal but for a rounding to float16 and what rounding decides."""
    step = 0.0 if SAME_MACHINE else _FLOAT16_STEP
    other = ~np.isclose(built, golden, rtol=step, atol=step, equal_nan=True)
    few, largest = _DECIDED_BY_ROUNDING.get(name, (0.0, 0.0)) if not SAME_MACHINE else (0.0, 0.0)
    assert other.mean() <= few, f"{name}: {other.mean():.2%} of the values differ"
    assert np.abs(np.where(other, built - golden, 0)).max() <= largest, name


@pytest.mark.parametrize("table", ["manifest", "views"])
def test_the_rebuilt_store_has_the_golden_tables(now: dict[str, dict[str, Any]], table: str) -> None:
    golden, built = (pd.read_parquet(store / f"{table}.parquet") for store in (STORE, Path("built")))
    if not SAME_MACHINE:  # the voices, too, are computed: a sample may be one step higher
        golden, built = (frame.drop(columns="audio_sha256", errors="ignore") for frame in (golden, built))
    for frame in (golden, built):
        if "problem" in frame:  # words for people, which the golden store keeps as they were
            frame["problem"] = frame["problem"] != ""
    pd.testing.assert_frame_equal(built, golden, rtol=0.0 if SAME_MACHINE else 1e-4)


@pytest.mark.parametrize("name", GOLDEN["trained"])
def test_a_training_ends_as_before(now: dict[str, dict[str, Any]], name: str) -> None:
    _require_same("trained", name, now, TRAINING)


@pytest.mark.parametrize("name", GOLDEN["read"])
def test_a_command_answers_as_before(now: dict[str, dict[str, Any]], name: str) -> None:
    if name == "ser-features compare store built" and not SAME_MACHINE:
        pytest.skip("this CPU rounds otherwise than the one of the golden store; its values are compared")
    _require_same("read", name, now, READING)


@pytest.mark.slow
def test_a_network_is_exported_as_before(now: dict[str, dict[str, Any]]) -> None:
    now = {**now, "exported": dict(export())}
    assert list(now["exported"]) == list(GOLDEN["exported"])
    for name in GOLDEN["exported"]:
        _require_same("exported", name, now, READING)


@pytest.mark.parametrize("part", ["built", "trained", "read"])
def test_nothing_is_asked_that_the_golden_folder_lacks(now: dict[str, dict[str, Any]], part: str) -> None:
    assert list(now[part]) == list(GOLDEN[part])


def _arrays(store: Path) -> dict[str, NDArray[np.float64]]:
    """Every array of a store, read by zarr itself."""
    members = zarr.open_group(store, mode="r").members(max_depth=2)
    return {
        name: np.asarray(array[:], np.float64) for name, array in members if isinstance(array, zarr.Array)
    }


def _require_same(part: str, name: str, now: dict[str, dict[str, Any]], tolerance: Tolerance) -> None:
    found = list(differences(GOLDEN[part][name], now[part].get(name), tolerance))
    if found:
        pytest.fail("\n".join([f"{name}: {len(found)} differences", *found[:20]]), pytrace=False)
