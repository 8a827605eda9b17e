"""Clusters that lose their parts: a worker, the scheduler, a builder that wakes up too late."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from featurestore.build import BuildRequest, build
from featurestore.cluster.request import ClusterRequest
from featurestore.cluster.unit_task import UnitTask, build_unit, library_versions
from featurestore.format.layout import STORE_JSON
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.places.names import LOCK, TOKEN
from featurestore.plan.growth import UnitWork
from featurestore.plan.recordings import hash_recordings
from featurestore.plan.units import plan_units
from featurestore.progress import Silent
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.version import FEATURE_VERSION
from schemas.errors import ClusterError, StorageError, StoreBusyError, StoreUnfinishedError
from tests.faults.children import Children
from tests.faults.conftest import Sound, copied
from tests.faults.damage import unit_of

FIRST_SHARD = "demo/mel/c/0/0/0/0"


@dataclass(frozen=True)
class Cluster:
    """A scheduler and workers, each a process of its own."""

    address: str
    scheduler: subprocess.Popen[str]
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Started from the command line, on loopback; workers without a nanny, so that a kill is a loss."""
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    module = [sys.executable, "-m"]
    with subprocess.Popen(
        [*module, "distributed.cli.dask_scheduler", *local, "--port", "0"], stderr=subprocess.PIPE, text=True
    ) as scheduler:
        workers: list[subprocess.Popen[bytes]] = []
        try:
            assert scheduler.stderr is not None
            lines = (re.search(r"Scheduler at: +(tcp://\S+)", line) for line in scheduler.stderr)
            address = next(found[1] for found in lines if found)
            worker = [
                *module,
                "distributed.cli.dask_worker",
                address,
                *local,
                "--nthreads",
                "1",
                "--no-nanny",
            ]
            workers += [subprocess.Popen(worker, stderr=subprocess.DEVNULL) for _ in range(2)]
            yield Cluster(address, scheduler, workers)
        finally:
            for process in [*workers, scheduler]:
                process.kill()
            for process in [*workers, scheduler]:
                process.communicate()


def digest_of(request: BuildRequest) -> str:
    return build(request).document.digest


@pytest.mark.slow(seconds=20)
def test_a_worker_that_is_killed_in_the_middle_of_a_unit(
    cluster: Cluster, sound: Sound, children: Children, tmp_path: Path
) -> None:
    out = tmp_path / "s.zarr"
    request = sound.request(out, cluster=ClusterRequest(scheduler=cluster.address))
    child = children.start(digest_of, request)
    _wait_for(lambda: any((out / "demo").rglob("0")))
    cluster.workers[0].kill()
    assert child.result() == sound.digest
    _is_sound(out, sound)


@pytest.mark.slow(seconds=30)
def test_a_local_worker_that_is_killed_is_started_again(
    sound: Sound, children: Children, tmp_path: Path
) -> None:
    out = tmp_path / "s.zarr"
    child = children.start(digest_of, sound.request(out, cluster=ClusterRequest(workers=2)))
    _wait_for(lambda: any((out / "demo").rglob("0")))
    busy = max(_python_below(child.pid), key=lambda process: sum(process.cpu_times()[:2]))
    busy.kill()
    assert child.result() == sound.digest
    _is_sound(out, sound)


@pytest.mark.slow(seconds=20)
def test_a_scheduler_that_is_killed(
    cluster: Cluster, sound: Sound, children: Children, tmp_path: Path
) -> None:
    out = tmp_path / "s.zarr"
    request = sound.request(out, cluster=ClusterRequest(scheduler=cluster.address))
    child = children.start(digest_of, request)
    _wait_for(lambda: any((out / "demo").rglob("0")))
    cluster.scheduler.kill()
    error = child.result()
    assert isinstance(error, ClusterError), error
    assert "was lost; run the same command again; finished units are kept" in str(error)
    with pytest.raises(StoreUnfinishedError):
        FeatureStore.open(out)
    assert sound.build(out).document.digest == sound.digest
    _is_sound(out, sound)


@pytest.mark.slow(seconds=20)
def test_a_killed_build_leaves_workers_that_change_nothing_more(
    cluster: Cluster, sound: Sound, children: Children, tmp_path: Path
) -> None:
    """The builder dies, its tasks may go on; the next build finishes, and is what it is a while later too."""
    out = tmp_path / "s.zarr"
    request = sound.request(out, cluster=ClusterRequest(scheduler=cluster.address))
    child = children.start(digest_of, request)
    _wait_for(lambda: any((out / "demo").rglob("0")))
    child.process.kill()
    assert child.result() is None
    assert digest_of(replace(request, cluster=None)) == sound.digest
    before = _states(out)
    time.sleep(3)
    assert _states(out) == before
    _is_sound(out, sound)


def test_a_unit_that_is_built_twice_at_the_same_time(
    sound: Sound, children: Children, tmp_path: Path
) -> None:
    out = copied(sound.path, tmp_path / "s.zarr")
    with exclusive(Folder(out)) as token:
        task = _task(sound, out, 1, token)
        for name in sound_names(out, 1):
            (out / name).unlink()
        twice = [children.start(build_unit, task) for _ in range(2)]
        answers = [child.result() for child in twice]
    assert answers[0].record == answers[1].record
    for name in sound_names(sound.path, 1):
        assert (out / name).read_bytes() == (sound.path / name).read_bytes(), name
    _is_sound(out, sound)


def test_a_zombie_of_an_older_build_does_not_write(sound: Sound, children: Children, tmp_path: Path) -> None:
    """It was suspended when its build ended; other recordings would be its, so its unit must not appear."""
    out = copied(sound.path, tmp_path / "s.zarr")
    with exclusive(Folder(out)) as old:
        task = _task(sound, out, 1, old)
    before = _states(out)
    for newer in (False, True):
        if newer:
            with exclusive(Folder(out)):
                error = children.start(build_unit, task).result()
        else:
            error = children.start(build_unit, task).result()
        assert isinstance(error, StoreBusyError), error
        assert "this build of" in str(error)
        assert "lost its lock" in str(error)
    assert _states(out) == before
    _is_sound(out, sound)


def stopped_before_writing(task: UnitTask, name: str) -> Any:
    """Build a unit, standing still just before the object ``name`` is written until one lets it go on."""
    return _stopped(task, lambda event, path: event == "open" and name in path and path.endswith(".partial"))


def stopped_before_renaming(task: UnitTask, name: str) -> Any:
    """The same, but when the objects of the unit have been written, and the token been asked for again."""
    return _stopped(task, lambda event, path: event == "os.rename" and name in path)


def _stopped(task: UnitTask, here: Callable[[str, str], bool]) -> Any:
    waiting = Path(task.place.path, "waiting")  # type: ignore[attr-defined]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.rename") and here(event, str(arguments[0])):
            waiting.touch()
            while waiting.exists():
                time.sleep(0.01)

    sys.addaudithook(hook)
    return build_unit(task)


@pytest.mark.parametrize("name", [FIRST_SHARD.replace("0/0/0/0", "0/1/0/0"), "records/demo/00001.parquet"])
def test_a_zombie_that_wakes_in_the_middle_of_a_unit(
    name: str, sound: Sound, children: Children, tmp_path: Path
) -> None:
    """It has asked for its token already. What it then writes are the bytes that its recordings give."""
    out = copied(sound.path, tmp_path / "s.zarr")
    with exclusive(Folder(out)) as old:
        zombie = children.start(stopped_before_writing, _task(sound, out, 1, old), name)
        _wait_for((out / "waiting").exists)
    shutil.copy(sound.path / STORE_JSON, out)
    assert sound.build(out).document.digest == sound.digest
    (out / "waiting").unlink()
    zombie.result()
    _is_sound(out, sound)


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [stopped_before_writing, stopped_before_renaming])
def test_a_zombie_that_wakes_with_recordings_of_the_past_changes_nothing(
    stopped: Callable[[UnitTask, str], Any], sound: Sound, children: Children, tmp_path: Path
) -> None:
    """Before it renames anything, it asks for its token again; what it wrote before has been swept away."""
    out, corpora = copied(sound.path, tmp_path / "s.zarr"), tmp_path / "corpora"
    shutil.copytree(sound.corpora, corpora)
    recordings = sorted((corpora / "demo").glob("*/*.wav"))
    with exclusive(Folder(out)) as old:
        zombie = children.start(stopped, _task(sound, out, 1, old), "demo/mel/c/0/1/0/0")
        _wait_for((out / "waiting").exists)
    shutil.copy(recordings[0], recordings[300])
    digest = digest_of(sound.request(out, corpora=corpora))
    assert digest != sound.digest
    (out / "waiting").unlink()
    assert isinstance(zombie.result(), StoreBusyError | StorageError)
    assert FeatureStore.open(out).digest == digest
    assert verify(out, full=True).ok


def _task(sound: Sound, out: Path, unit: int, token: str) -> UnitTask:
    from data.locate import locate

    ((corpus, path),) = locate("demo", sound.corpora).found
    scan = corpus.scan(path)
    spec = FeatureStore.open(sound.path).spec
    units = plan_units("demo", hash_recordings(scan, Silent()), spec, FEATURE_VERSION, ())
    return UnitTask(
        UnitWork(units[unit], spec, spec, None), Folder(out), token, "cpu", "soundfile", library_versions()
    )


def sound_names(store: Path, unit: int) -> list[str]:
    """The objects of a unit."""
    names = (path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file())
    return sorted(name for name in names if unit_of(name) == unit)


def _is_sound(out: Path, sound: Sound) -> None:
    result = verify(out, full=True)
    assert result.ok, result.findings
    assert (result.digest, result.strangers) == (sound.digest, ())


def _states(store: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in store.rglob("*")
        if path.is_file() and path.name not in {LOCK, TOKEN}
    }


def _python_below(pid: int) -> list[psutil.Process]:
    """Dask's workers below a build, not its resource tracker; the scheduler is in the build itself."""
    below = psutil.Process(pid).children(recursive=True)
    return [process for process in below if "spawn_main" in " ".join(process.cmdline())]


def _wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.002)
