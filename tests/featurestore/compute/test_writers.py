"""Several threads write units: how many, the same store, and an end at the first failure."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from featurestore.build import BuildRequest, build
from featurestore.compute import execution
from featurestore.compute.unit import UnitResult, gather_unit
from featurestore.compute.writers import choose_writers, unit_bytes
from featurestore.format.layout import STORE_JSON
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import StorageError
from schemas.recipe import load_recipe
from schemas.spec import AudioSpec
from tests.pipelines.test_machine import V2, write

SPEC = load_recipe("four-corpora-a").store_spec(6)
GIB = 2**30


def machine(root: Path, cores: int, gibibytes: float) -> Path:
    """A group of this many cores and GiB, as far as the process may use them."""
    write(
        root,
        {
            "proc/meminfo": f"MemAvailable: {int(gibibytes * 2**20)} kB\n",
            "proc/self/cgroup": "0::/job\n",
            "proc/self/mountinfo": V2,
            "sys/fs/cgroup/job/cpu.max": f"{cores * 100_000} 100000\n",
        },
    )
    return root


@pytest.mark.parametrize(
    ("cores", "gibibytes", "writers"), [(2, 24, 1), (7, 24, 1), (8, 24, 2), (16, 128, 4), (64, 400, 16)]
)
def test_a_writer_per_four_cores(
    cores: int, gibibytes: float, writers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.machine._allowed_cores", lambda: 64)
    assert choose_writers(SPEC, machine(tmp_path, cores, gibibytes)) == writers


def test_units_take_at_most_a_quarter_of_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.machine._allowed_cores", lambda: 64)
    long = SPEC.model_copy(update={"audio": AudioSpec(duration_s=60)})
    assert unit_bytes(long) == 256 * 7 * 2 * sum(rows * frames for rows, frames in long.shapes.values())
    for gibibytes in (0.1, 8, 24, 200, 60):
        writers = choose_writers(long, machine(tmp_path, 64, gibibytes))
        assert writers == 1 or (writers + 1) * unit_bytes(long) <= gibibytes * GIB / 4
    assert 1 < writers < 16


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "choose_writers", lambda _: 3)


@pytest.mark.usefixtures("several")
@pytest.mark.slow
def test_several_writers_make_the_same_store(
    whole_demo: Path, tiny_recipe: str, tiny_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s.zarr"
    report = build(BuildRequest(out, whole_demo, "demo", SpecRequest(recipe=tiny_recipe)))
    assert report.document.digest == FeatureStore.open(tiny_store).digest
    assert verify(out, full=True).ok


@pytest.mark.usefixtures("several")
@pytest.mark.slow
@pytest.mark.parametrize("broken", [0, 1, 2])
def test_one_writer_that_fails_stops_the_build_and_the_next_one_resumes(
    broken: int,
    whole_demo: Path,
    tiny_recipe: str,
    tiny_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, commit = tmp_path / "s.zarr", execution.commit_unit

    def refuse(place: Any, result: UnitResult, *rest: Any) -> Any:
        if result.work.unit.index == broken:
            raise StorageError(f"cannot write {place}: the disk is full; free some space")
        return commit(place, result, *rest)

    request = BuildRequest(out, whole_demo, "demo", SpecRequest(recipe=tiny_recipe))
    with monkeypatch.context() as patch:
        patch.setattr(execution, "commit_unit", refuse)
        with pytest.raises(StorageError, match="the disk is full"):
            build(request)
    assert not (out / STORE_JSON).exists()
    assert not list(out.rglob("*.partial"))
    kept = len(list((out / "records" / "demo").glob("0*.json")))
    report = build(request)
    assert (report.units_kept, report.units_built) == (kept, 3 - kept)
    assert report.document.digest == FeatureStore.open(tiny_store).digest
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("write")]


@pytest.mark.slow
@pytest.mark.parametrize("writers", [1, 2])
def test_units_in_memory_are_bounded(
    writers: int, whole_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing is slow here, so a build without a bound would gather all units before the first is written."""
    lock, seen, commit = threading.Lock(), [0], execution.commit_unit
    in_memory = 0

    def gather(*arguments: Any) -> UnitResult:
        nonlocal in_memory
        result = gather_unit(*arguments)
        with lock:
            in_memory += 1
            seen.append(in_memory)
        return result

    def commit_slowly(*arguments: Any) -> Any:
        nonlocal in_memory
        time.sleep(1)
        record = commit(*arguments)
        with lock:
            in_memory -= 1
        return record

    monkeypatch.setattr(execution, "choose_writers", lambda _: writers)
    monkeypatch.setattr(execution, "gather_unit", gather)
    monkeypatch.setattr(execution, "commit_unit", commit_slowly)
    build(BuildRequest(tmp_path / "s.zarr", whole_demo, "demo", SpecRequest(recipe=tiny_recipe)))
    assert len(seen) == 4
    assert max(seen) <= writers + 1
