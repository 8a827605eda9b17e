"""Units built by Dask workers: the same store, whoever built it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from distributed.utils import LoopRunner

from data.locate import locate
from featurestore.build import BuildRequest, build
from featurestore.cluster.request import ClusterRequest, cluster_of
from featurestore.cluster.unit_task import (
    COMPARED_FOR_ENCODERS,
    UnitTask,
    build_unit,
    compared_libraries,
    inspect_worker,
    library_versions,
)
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.plan.growth import UnitWork
from featurestore.plan.recordings import hash_recordings
from featurestore.plan.spec import SpecRequest
from featurestore.plan.units import plan_units
from featurestore.progress import Silent
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.version import FEATURE_VERSION
from schemas.encoders import Architecture, EncoderSpec, WaveformArchitecture, WhisperArchitecture
from schemas.errors import ClusterError, UsageError
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec
from tests.conftest import REPOSITORY
from tests.tiny_store import Builder


@contextmanager
def scheduler(*workers: str, folder: Path | None = None) -> Iterator[str]:
    """A scheduler in a process of its own, and a worker in ``folder`` for each set of arguments."""
    host = ["--host", "127.0.0.1", "--no-dashboard"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *host, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        started: list[subprocess.Popen[bytes]] = []
        try:
            assert process.stderr is not None
            address = next(
                found[1]
                for line in process.stderr
                if (found := re.search(r"Scheduler at: +(tcp://\S+)", line))
            )
            for options in workers:
                worker = [
                    sys.executable,
                    "-m",
                    "distributed.cli.dask_worker",
                    address,
                    *host,
                    *options.split(),
                ]
                environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
                quiet = subprocess.DEVNULL
                started.append(subprocess.Popen(worker, stderr=quiet, cwd=folder, env=environment))
            yield address
        finally:
            for child in [*started, process]:
                child.terminate()
            for child in [*started, process]:
                child.communicate(timeout=30) if child is process else child.wait(timeout=30)


def _build(out: str | Path, corpora: Path, recipe: str, cluster: ClusterRequest) -> str:
    spec = SpecRequest(recipe=recipe)
    return build(BuildRequest(out, corpora, "demo", spec, cluster=cluster)).document.digest


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_local_workers_builds_the_same_store(
    workers: int, whole_demo: Path, tiny_recipe: str, tiny_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s.zarr"
    digest = _build(out, whole_demo, tiny_recipe, ClusterRequest(workers=workers))
    assert digest == FeatureStore.open(tiny_store).digest
    assert verify(out, full=True).ok
    assert verify(out).strangers == ()


@pytest.mark.slow
def test_a_build_is_done_although_dask_does_not_end_in_time(
    whole_demo: Path,
    tiny_recipe: str,
    tiny_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = LoopRunner.stop

    def stop_too_late(runner: LoopRunner, timeout: float = 10) -> None:
        stop(runner, timeout)
        raise TimeoutError("join timed out")

    monkeypatch.setattr(LoopRunner, "stop", stop_too_late)
    digest = _build(tmp_path / "s.zarr", whole_demo, tiny_recipe, ClusterRequest(workers=1))
    assert digest == FeatureStore.open(tiny_store).digest


@pytest.mark.slow
def test_a_running_cluster_builds_grows_and_repairs_the_same_store(
    whole_demo: Path, tiny_recipe: str, tiny_store: Path, tmp_path: Path
) -> None:
    """One worker with two threads and one with one; then a feature is added, in this process and there."""
    with scheduler("--nthreads 2", "--nthreads 1") as address:
        cluster = ClusterRequest(scheduler=address)
        out = tmp_path / "s.zarr"
        assert _build(out, whole_demo, tiny_recipe, cluster) == FeatureStore.open(tiny_store).digest
        spec = SpecRequest(features="zcr")
        grown = build(BuildRequest(out, whole_demo, "demo", spec, cluster=cluster))
        (out / "demo/mel/c/1/1/0/0").unlink()
        repaired = build(BuildRequest(out, whole_demo, "demo", spec, cluster=cluster))
        assert repaired.units_built == 1
        assert repaired.document.digest == grown.document.digest
        assert verify(out, full=True).ok


@pytest.mark.slow
def test_a_worker_that_does_not_see_the_store_or_the_recordings_is_named(
    small_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    """Before anything is computed; a worker elsewhere would take every recording for unreadable."""
    from featurestore.cluster.execution import _common_device

    place, here = Folder(tmp_path / "s.zarr"), library_versions()
    with exclusive(place) as token:
        seeing = inspect_worker(place, token, "cpu", [next(small_demo.rglob("*.wav"))])
        assert _common_device({"tcp://a:1": seeing}, place, here) == "cpu"
        blind = inspect_worker(Folder(tmp_path / "elsewhere"), token, "cpu", [])
        with pytest.raises(ClusterError, match="worker tcp://b:1 does not see the store"):
            _common_device({"tcp://a:1": seeing, "tcp://b:1": blind}, place, here)
        deaf = inspect_worker(place, token, "cpu", [tmp_path / "no.wav"])
        with pytest.raises(ClusterError, match=r"worker tcp://b:1 cannot read .*no\.wav"):
            _common_device({"tcp://b:1": deaf}, place, here)
        old = replace(seeing, libraries={**seeing.libraries, "transformers": "4.0"})
        assert _common_device({"tcp://c:1": old}, place, here) == "cpu"  # no encoder is computed
        with pytest.raises(ClusterError, match=r"worker tcp://c:1 has transformers 4\.0"):
            _common_device({"tcp://c:1": old}, place, library_versions(COMPARED_FOR_ENCODERS))


@pytest.mark.parametrize(
    ("architecture", "needed"),
    [
        (WhisperArchitecture(width=32, blocks=1, heads=1, inner_width=32), False),
        (WaveformArchitecture(family="wavlm", width=32, blocks=1, heads=1, inner_width=32), True),
    ],
    ids=["whisper", "wavlm"],
)
def test_workers_need_transformers_only_for_encoders_that_it_computes(
    architecture: Architecture, needed: bool
) -> None:
    encoder = EncoderSpec(name="some", layers=(1,)).complete(architecture, 64 * "0")
    spec = StoreSpec(features=(encoder,))
    assert ("transformers" in compared_libraries([spec])) == needed


@pytest.mark.slow
def test_relative_paths_are_those_of_the_build_and_not_of_its_workers(
    own_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_demo.parent)
    (tmp_path / "elsewhere").mkdir()
    with scheduler("--nthreads 1", folder=tmp_path / "elsewhere") as address:
        cluster = ClusterRequest(scheduler=address)
        spec = SpecRequest(recipe=tiny_recipe)
        report = build(BuildRequest("s.zarr", Path(own_demo.name), "demo", spec, cluster=cluster))
    assert report.bad == ()
    assert (own_demo.parent / "s.zarr" / "store.json").is_file()


def test_a_worker_that_came_later_is_refused_before_it_computes(
    own_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    place = Folder(tmp_path / "s.zarr")
    ((corpus, path),) = locate("demo", own_demo).found
    spec = load_recipe(tiny_recipe).store_spec()
    (unit,) = plan_units("demo", hash_recordings(corpus.scan(path), Silent()), spec, FEATURE_VERSION, ())
    with exclusive(place) as token:
        task = UnitTask(
            UnitWork(unit, spec, spec, None), place, token, "cpu", "soundfile", library_versions()
        )
        other = replace(task, libraries={**library_versions(), "soxr": "0.0.1"})
        assert "a worker has soxr" in str(build_unit(other))
        other = replace(task, libraries={**library_versions(), "transformers": "0.0.1"})
        assert "a worker has transformers" in str(build_unit(other))
        unit.clips[3].file.rename(tmp_path / "gone.wav")
        assert f"a worker cannot read {unit.clips[3].file}" in str(build_unit(task))
    assert place.sizes().keys() <= {".build.lock"}


@pytest.mark.slow
def test_no_scheduler_is_one_sentence(small_demo: Path, tiny_recipe: str, tmp_path: Path) -> None:
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1:9"):
        with pytest.raises(ClusterError, match="no scheduler answers at"):
            _build(tmp_path / "s.zarr", small_demo, tiny_recipe, ClusterRequest(scheduler=address))


def test_workers_and_a_scheduler_are_not_both() -> None:
    with pytest.raises(UsageError, match="give only one of them"):
        cluster_of(2, "tcp://127.0.0.1:8786")
    assert cluster_of(None, None) is None
    assert cluster_of(3, None) == ClusterRequest(None, 3)


def test_a_build_with_nothing_to_do_starts_no_cluster(
    own_store: Path, whole_demo: Path, tiny_build: Builder, tiny_recipe: str
) -> None:
    unreachable = ClusterRequest(scheduler="tcp://127.0.0.1:9")
    digest = FeatureStore.open(own_store).digest
    assert _build(own_store, whole_demo, tiny_recipe, unreachable) == digest
