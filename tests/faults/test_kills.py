"""kill -9 in the middle: whatever a build was doing, the next one ends with the same store, and no more.

Moments are of two kinds: just before an operation on the disk (a file opened for writing, a rename, a
removal, a folder made), in every stage or spread over all of them; and after a random time.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from featurestore.build import BuildRequest, build
from featurestore.format.documents import UnitRecord, read_document
from featurestore.format.layout import STORE_JSON
from featurestore.places.folder import Folder
from featurestore.places.names import LOCK
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import SerError, StoreNotFoundError, StoreUnfinishedError
from tests.faults.children import Children, operations
from tests.faults.conftest import Sound, copied
from tests.faults.damage import draw

STAGES = (
    r"os\.rename /\.build\.token",  # the store is being taken
    r"os\.rename /records/demo/corpus\.json",
    r"open /demo/rms/c/1/0/",  # the first unit: three of its shards are written
    r"os\.rename /demo/rms/c/0/1/",  # the second unit: three of its shards have their names
    r"os\.rename /records/demo/00001\.parquet",  # all its shards have, its statistics do not
    r"open /records/demo/00001\.json",  # all of it but its record
    r"os\.remove /records/demo/00002\.json",  # the record of the last unit has two names
    r"os\.rename /manifest\.parquet",  # finalising
    r"open /demo/frame/c/0",  # all tables, no coordinates
    r"open /zarr\.json",  # once more, with everything that it lists
    r"os\.rename /store\.json",  # all but the last rename
    r"os\.remove /store\.json\.",  # that, too
)
"""The stages of a build, each as the last operation that begins so: a kill comes just before it."""

BY_TIME = 3


@dataclass(frozen=True)
class Course:
    """What a build does to the disk when nobody stops it."""

    done: list[tuple[float, str]]

    @property
    def seconds(self) -> float:
        """From its start to its last operation."""
        return self.done[-1][0]

    def last(self, pattern: str) -> int:
        """Index of the last operation that begins as ``pattern`` says."""
        return max(i for i, (_, what) in enumerate(self.done) if re.match(pattern, what))

    def moments(self, label: str, parts: int) -> Iterator[int]:
        """Operations to die at: one in each of ``parts`` equal parts, and one of finalising."""
        rng = random.Random(label)
        count = len(self.done)
        for part in range(parts):
            yield rng.randrange(part * count // parts, (part + 1) * count // parts)
        yield rng.randrange(self.last(r"os\.rename /records/demo/0") + 1, count)


@pytest.fixture(scope="module")
def course(sound: Sound, children: Children, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Of the build of the sound store from nothing."""
    return course_of(children, sound.request(tmp_path_factory.mktemp("course") / "s.zarr"))


def digest_of(request: BuildRequest) -> str:
    return build(request).document.digest


def course_of(children: Children, request: BuildRequest) -> Course:
    done = children.start(operations, digest_of, (request,), str(request.out)).result()
    assert isinstance(done, list), done
    return Course(done)


@pytest.mark.slow(seconds=30)
def test_kills_in_every_stage_of_a_build(
    sound: Sound, course: Course, children: Children, tmp_path: Path
) -> None:
    for number, stage in enumerate(STAGES):
        out = tmp_path / f"{number}.zarr"
        operation = course.last(stage)
        label = f"operation {operation} of {len(course.done)}: {course.done[operation][1]}"
        child = children.start(digest_of, sound.request(out), die_at=operation, root=str(out))
        assert child.result() is None, f"{label}: the build was not killed"
        _comes_back(out, None, label, sound.request(out), {sound.digest})
        shutil.rmtree(out)


@pytest.mark.slow
def test_kills_of_a_build_at_random_times(
    sound: Sound, course: Course, children: Children, tmp_path: Path
) -> None:
    rng = random.Random("times")
    for part in range(BY_TIME):
        out = tmp_path / f"{part}.zarr"
        moment = course.seconds * (part + rng.random()) / BY_TIME
        moment = _killed_after(children, sound.request(out), moment)
        _comes_back(out, None, f"{moment:.3f} s", sound.request(out), {sound.digest})
        shutil.rmtree(out)


WHILE_PROCESSES_COMPUTE: dict[str, Callable[[Path], object]] = {
    "the processes start": lambda out: True,
    "the first unit has its record": lambda out: (out / "records/demo/00000.json").exists(),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", WHILE_PROCESSES_COMPUTE)
def test_kills_while_worker_processes_compute(
    moment: str, sound: Sound, children: Children, tmp_path: Path
) -> None:
    """672 clips with --jobs 2 take the pool of processes: these end with the build that was killed."""
    out = tmp_path / "s.zarr"
    child = children.start(digest_of, sound.request(out, jobs=2))
    workers = _workers_of(child.pid)
    while not WHILE_PROCESSES_COMPUTE[moment](out):
        assert child.process.is_alive(), child.result()
        time.sleep(0.001)
    child.process.kill()
    _comes_back(out, child.result(), moment, sound.request(out), {sound.digest})
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == [], f"workers outlive a build that was killed when {moment}"


@pytest.mark.slow
def test_a_killed_worker_process_is_one_sentence_and_nothing_is_lost(
    sound: Sound, children: Children, tmp_path: Path
) -> None:
    out = tmp_path / "s.zarr"
    child = children.start(digest_of, sound.request(out, jobs=2))
    _workers_of(child.pid)[0].kill()
    error = child.result()
    assert isinstance(error, SerError), error
    assert "a worker process ended unexpectedly (exit code -9)" in str(error)
    _comes_back(out, None, "worker", sound.request(out), {sound.digest})


GROWTH: dict[str, Callable[[SpecRequest], SpecRequest]] = {
    "clips": lambda spec: spec,
    "a feature": lambda spec: replace(spec, features="mel,rms,zcr"),
    "views": lambda spec: spec,
}


@pytest.mark.slow
@pytest.mark.parametrize("growth", GROWTH)
def test_kills_of_an_extension(growth: str, sound: Sound, children: Children, tmp_path: Path) -> None:
    """Until it is finished the store is the old one or none; then that of an undisturbed extension."""
    corpora, before, truth = tmp_path / "corpora", tmp_path / "before.zarr", tmp_path / "truth.zarr"
    shutil.copytree(sound.corpora, corpora)
    whole = sound.spec
    first = replace(whole, augment=1) if growth == "views" else whole
    held_back = list((corpora / "demo").glob("*/*_s[24]_*")) if growth == "clips" else []
    for path in held_back:
        path.rename(tmp_path / path.name)
    old = build(BuildRequest(before, corpora, "demo", first, jobs=1)).document.digest
    for path in held_back:
        (tmp_path / path.name).rename(path)
    request = BuildRequest(truth, corpora, "demo", GROWTH[growth](whole), jobs=1)
    shutil.copytree(before, truth)
    course = course_of(children, request)
    new = FeatureStore.open(truth).digest
    assert new != old
    for operation in course.moments(f"growth {growth}", 3):
        out = copied(before, tmp_path / "killed.zarr")
        label = f"{growth}, operation {operation} of {len(course.done)}: {course.done[operation][1]}"
        again = replace(request, out=out)
        child = children.start(digest_of, again, die_at=operation, root=str(out))
        _comes_back(out, child.result(), label, again, {old, new}, new)
        shutil.rmtree(out)


@pytest.mark.slow
def test_kills_of_a_repair(sound: Sound, children: Children, tmp_path: Path) -> None:
    damaged = copied(sound.path, tmp_path / "damaged.zarr")
    rng = random.Random("repair")
    for name in ("demo/mel/c/1/1/0/0", "records/demo/00002.parquet", "views.parquet", "demo/frame/c/0"):
        draw("flip", damaged, name, rng).do(damaged)
    truth = copied(damaged, tmp_path / "truth.zarr")
    course = course_of(children, sound.request(truth, check=True))
    assert FeatureStore.open(truth).digest == sound.digest
    for operation in course.moments("repair", 3):
        out = copied(damaged, tmp_path / "killed.zarr")
        request = sound.request(out, check=True)
        label = f"operation {operation} of {len(course.done)}: {course.done[operation][1]}"
        child = children.start(digest_of, request, die_at=operation, root=str(out))
        _comes_back(out, child.result(), label, request, {sound.digest})
        shutil.rmtree(out)


def _comes_back(
    out: Path, answer: Any, label: str, request: BuildRequest, valid: set[str], digest: str | None = None
) -> None:
    """After a kill readers are refused or see a whole store, and the build goes on from what is finished."""
    assert answer is None or isinstance(answer, SerError) or answer in valid, f"{label}: {answer}"
    try:
        assert FeatureStore.open(out).digest in valid, label
    except (StoreUnfinishedError, StoreNotFoundError):
        assert not (out / STORE_JSON).exists(), label
    finished = _finished_units(out)
    report = build(request)
    assert report.document.digest == (digest or min(valid)), label
    if request.check is False and digest is None:
        assert report.units_kept == finished, label
    result = verify(out, full=True)
    assert result.ok, (label, result.findings)
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert present == {*report.document.objects, STORE_JSON, LOCK}, label


def _killed_after(children: Children, request: BuildRequest, seconds: float) -> float:
    """Kill a build so long after its start, or earlier where it is at its end by then; returns when."""
    while True:
        child = children.start(digest_of, request)
        time.sleep(seconds)
        child.process.kill()
        if child.result() is None:
            return seconds
        shutil.rmtree(str(request.out))
        seconds *= 0.8


def _finished_units(out: Path) -> int:
    place = Folder(out)
    names = [name for name in place.sizes() if name.startswith("records/demo/0") and name.endswith(".json")]
    for name in names:
        read_document(place, name, UnitRecord)
    return len(names)


def _workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes of a build, once it has started them."""
    build_process = psutil.Process(pid)
    while len(workers := build_process.children()) < 2:
        time.sleep(0.01)
    return workers
