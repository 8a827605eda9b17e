"""Worker processes: the same store for any number of jobs, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from data.locate import locate
from featurestore import build as build_module
from featurestore.build import BuildRequest, build
from featurestore.compute import execution, worker_processes
from featurestore.compute.stages import Stages
from featurestore.compute.worker_pool import WorkerPool
from featurestore.plan.recordings import hash_recordings
from featurestore.plan.spec import SpecRequest
from featurestore.plan.units import SourceClip
from featurestore.progress import Silent
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.decode import decode
from pipelines.pipeline import Pipeline
from pipelines.window import window_samples
from schemas.clip import Clip
from schemas.errors import WorkerLostError
from schemas.labels import Emotion, Gender
from schemas.recipe import load_recipe

COMMAND = "from training.cli.features import main; main()"


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _workers(pid: int) -> list[int]:
    return [
        child for child in _children(pid) if b"featurestore.compute.worker import main" in _command(child)
    ]


def _command(pid: int) -> bytes:
    """Command line of a process; the system shows none for a moment after the program has been loaded."""
    file = Path(f"/proc/{pid}/cmdline")
    while not (command := file.read_bytes()) and _running(pid):
        time.sleep(0.01)
    return command


def _wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes for any number of clips."""
    monkeypatch.setattr(worker_processes, "MANY_CLIPS", 1)


@pytest.mark.usefixtures("always")
@pytest.mark.slow
def test_any_number_of_jobs_builds_the_same_store(small_demo: Path, tiny_recipe: str, tmp_path: Path) -> None:
    digests, manifests = set(), []
    for jobs in (1, 2, 3):
        out = tmp_path / f"{jobs}.zarr"
        report = build(BuildRequest(out, small_demo, "demo", SpecRequest(recipe=tiny_recipe), jobs=jobs))
        assert verify(out, full=True).ok
        digests.add(report.document.digest)
        manifests.append(FeatureStore.open(out).manifest)
        assert report.stages["decode"] > 0
        assert report.stages["compute"] > 0
    assert len(digests) == 1
    assert all(manifest.equals(manifests[0]) for manifest in manifests)
    assert not _workers(os.getpid())


@pytest.mark.usefixtures("always")
@pytest.mark.slow
def test_bad_recordings_are_marked_by_workers_too(own_demo: Path, tiny_recipe: str, tmp_path: Path) -> None:
    files = sorted((own_demo / "demo").rglob("*.wav"))
    files[3].write_bytes(b"no sound")
    files[5].write_bytes(files[5].read_bytes()[:2000])
    request = BuildRequest(tmp_path / "s.zarr", own_demo, "demo", SpecRequest(recipe=tiny_recipe), jobs=2)
    report = build(request)
    assert {remark.path for remark in report.bad} == {
        f.relative_to(own_demo / "demo").as_posix() for f in (files[3], files[5])
    }
    assert any("not readable as audio" in remark.problem for remark in report.bad)
    assert any("truncated" in remark.problem for remark in report.bad)


def test_a_worker_that_is_killed_is_one_sentence_and_no_worker_stays(
    small_demo: Path, tiny_recipe: str
) -> None:
    spec = load_recipe(tiny_recipe).store_spec()
    files = sorted((small_demo / "demo").rglob("*.wav"))
    sources = [SourceClip(_clip(file), file, None) for file in files * 20]
    with WorkerPool(spec, 2, Stages()) as pool:
        clips = pool.process(sources)
        next(clips)
        killed, other = _workers(os.getpid())
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(
            WorkerLostError, match=r"exit code -9\).*while it processed clips x/.* run the same command"
        ) as caught:
            list(clips)
        assert "\n" not in str(caught.value)
        assert _running(other)
    assert not _running(other)


def test_the_error_of_a_lost_worker_holds_no_buffer(small_demo: Path, tiny_recipe: str) -> None:
    """A view of a BytesIO, in a frame of its traceback, would crash Python 3.12.1 when both are collected."""
    with WorkerPool(load_recipe(tiny_recipe).store_spec(), 1, Stages()) as pool:
        _wait_for(lambda: _workers(os.getpid()))
        (worker,) = _workers(os.getpid())
        os.kill(worker, signal.SIGKILL)
        _wait_for(lambda: not _running(worker))
        with pytest.raises(WorkerLostError) as caught:
            list(pool.process(_sources(small_demo)))
    assert isinstance(caught.value.__cause__, ConnectionError)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__cause__.__traceback__)]
    assert frames
    assert not [
        value for frame in frames for value in frame.f_locals.values() if isinstance(value, memoryview)
    ]


@pytest.mark.slow
def test_clips_come_in_order_and_survive_their_slot(small_demo: Path, tiny_recipe: str) -> None:
    """Slots are used again and again: each table is that of its own clip."""
    sources = _sources(small_demo) * 3
    spec = load_recipe(tiny_recipe).store_spec()
    pipeline = Pipeline(spec, torch.device("cpu"))
    with WorkerPool(spec, 2, Stages()) as pool:
        for source, clip in zip(sources, pool.process(sources), strict=True):
            assert clip.read.source == source
            assert clip.features is not None
            samples = decode(source.file.read_bytes(), spec.audio).samples
            expected = pipeline([source.clip.clip_id], [samples])
            for name, values in expected.arrays.items():
                assert np.array_equal(clip.features.arrays[name], values)


@pytest.mark.slow
def test_samples_for_a_gpu_are_those_of_the_decoder(small_demo: Path, tiny_recipe: str) -> None:
    sources = _sources(small_demo)
    spec = load_recipe(tiny_recipe).store_spec()
    with WorkerPool(spec, 2, Stages(), "samples") as pool:
        reads = list(pool.read(sources))
    window = window_samples(spec)
    for source, read in zip(sources, reads, strict=True):
        assert read.recording is not None
        expected = decode(source.file.read_bytes(), spec.audio)
        assert np.array_equal(read.recording.samples, expected.samples[:window])
        assert read.recording.quality == expected.quality


def _loads_torch(pid: int) -> bool:
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_processes_that_only_read_samples_do_not_load_torch(small_demo: Path, tiny_recipe: str) -> None:
    spec = load_recipe(tiny_recipe).store_spec()
    with WorkerPool(spec, 1, Stages(), "samples") as pool:
        assert len(list(pool.read(_sources(small_demo)[:8]))) == 8
        (reader,) = _workers(os.getpid())
        assert not _loads_torch(reader)
        assert _resident_bytes(reader) < 150 * 2**20
    with WorkerPool(spec, 1, Stages()) as pool:
        assert len(list(pool.process(_sources(small_demo)[:8]))) == 8
        assert all(map(_loads_torch, _workers(os.getpid())))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.slow
def test_processes_start_while_recordings_are_hashed(
    device: str, small_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And these compute the store. Of a store that exists, nothing may be left to compute: none starts."""
    seen: list[set[int]] = []

    def watch(module: ModuleType, name: str) -> None:
        real = getattr(module, name)

        def watched(*arguments: object, **named: object) -> object:
            seen.append(set(_workers(os.getpid())))
            return real(*arguments, **named)

        monkeypatch.setattr(module, name, watched)

    watch(build_module, "hash_files")
    watch(execution, "gather_unit")
    monkeypatch.setattr("pipelines.device._GPU_FILES", (small_demo,))  # a GPU is expected, and not found
    monkeypatch.setattr("pipelines.device.choose_device", lambda _: torch.device("cpu"))
    out, spec = tmp_path / "s.zarr", SpecRequest(recipe=tiny_recipe)
    request = BuildRequest(out, small_demo, "demo", spec, jobs=2, device=device, decoder="soundfile")
    build(request)
    assert len(seen[0]) == 2
    assert seen == [seen[0], seen[0]]
    assert build(request).units_built == 0
    assert seen[2:] == [set()]
    assert verify(out, full=True).ok


@pytest.mark.usefixtures("always")
def test_a_build_that_ends_while_it_hashes_leaves_no_process(
    small_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        assert len(_workers(os.getpid())) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(build_module, "hash_files", interrupt)
    request = BuildRequest(tmp_path / "s", small_demo, "demo", SpecRequest(recipe=tiny_recipe), jobs=2)
    with pytest.raises(KeyboardInterrupt):
        build(request)
    assert not _workers(os.getpid())


@pytest.mark.slow
def test_workers_end_when_the_build_is_killed(whole_demo: Path, tiny_recipe: str, tmp_path: Path) -> None:
    options = ["--out", str(tmp_path / "s.zarr"), "--corpora", str(whole_demo), "--recipe", tiny_recipe]
    command = [sys.executable, "-c", COMMAND, "build", "--datasets", "demo", "--jobs", "2", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait_for(lambda: len(_workers(process.pid)) == 2)
        workers = _workers(process.pid)
        process.kill()
    _wait_for(lambda: not any(map(_running, workers)))


@pytest.mark.slow
def test_a_build_needs_no_main_guard_and_no_clean_folder(
    whole_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    """A script without `if __name__`, in a folder whose names are those of our packages."""
    for name in ("data", "training", "schemas"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    script = tmp_path / "elsewhere" / "script.py"
    script.parent.mkdir()
    script.write_text(
        "from pathlib import Path\n"
        "from featurestore.build import BuildRequest, build\n"
        "from featurestore.plan.spec import SpecRequest\n"
        f"spec = SpecRequest(recipe={tiny_recipe!r})\n"
        f"request = BuildRequest(Path('s.zarr'), Path({str(whole_demo)!r}), 'demo', spec, jobs=2)\n"
        "print(build(request).clips_built)\n"
    )
    run = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, "672"), run.stderr


def _sources(corpora: Path) -> tuple[SourceClip, ...]:
    ((corpus, path),) = locate("demo", corpora).found
    return hash_recordings(corpus.scan(path), Silent())


def _clip(file: Path) -> Clip:
    return Clip(f"x/{file.stem}", "x", file.name, "x/1", Gender.UNKNOWN, Emotion.NEUTRAL, "neutral")
