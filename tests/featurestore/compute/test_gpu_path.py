"""The way of a build that feeds a GPU, with a pipeline that computes its batches on the CPU."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest

from featurestore.build import BuildRequest, build
from featurestore.compute import execution, worker_processes
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.feature_batch import FeatureBatch
from tests.featurestore.padded_batches import PaddedBatches, compute_in_batches
from tests.pretended_cuda.pretend import pretend_cuda


@pytest.mark.parametrize("many", [1, 10_000], ids=["worker processes", "threads"])
def test_batches_fill_the_same_store(
    many: int, own_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted((own_demo / "demo").rglob("*.wav"))
    files[7].write_bytes(b"no sound")
    spec = SpecRequest(recipe=tiny_recipe)
    build(BuildRequest(tmp_path / "cpu.zarr", own_demo, "demo", spec))
    compute_in_batches(monkeypatch)
    monkeypatch.setattr(worker_processes, "MANY_CLIPS", many)
    report = build(BuildRequest(tmp_path / "gpu.zarr", own_demo, "demo", spec, jobs=2))
    assert verify(tmp_path / "gpu.zarr", full=True).ok
    assert len(report.bad) == 1
    one, other = FeatureStore.open(tmp_path / "cpu.zarr"), FeatureStore.open(tmp_path / "gpu.zarr")
    assert other.manifest.equals(one.manifest)
    clips = np.flatnonzero(one.manifest["status"] == "ok")
    assert np.array_equal(other.valid_frames(clips, (0, 1, 2)), one.valid_frames(clips, (0, 1, 2)))
    for feature in ("mel", "rms"):
        here, there = (store.read(clips, (0, 1, 2), (feature,))[feature] for store in (one, other))
        assert np.abs(there.astype(np.float32) - here.astype(np.float32)).mean() < 1e-2


def test_the_device_has_the_next_batch_before_the_last_one_is_gathered(
    small_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class Noted(PaddedBatches):
        def launch(self, *arguments: Any) -> Callable[[], FeatureBatch]:
            done.append("launch")
            collect = super().launch(*arguments)

            def note() -> FeatureBatch:
                done.append("collect")
                return collect()

            return note

    compute_in_batches(monkeypatch, Noted)
    build(BuildRequest(tmp_path / "s.zarr", small_demo, "demo", SpecRequest(recipe=tiny_recipe)))
    assert done == ["launch", *["launch", "collect"] * 6, "collect"]  # 112 clips are seven batches


def test_units_of_several_threads_give_a_gpu_their_batches_one_at_a_time(
    small_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock()
    held: list[bool] = []

    class Noted(PaddedBatches):
        def launch(self, *arguments: Any) -> Callable[[], FeatureBatch]:
            held.append(lock.locked())
            collect = super().launch(*arguments)

            def note() -> FeatureBatch:
                held.append(lock.locked())
                return collect()

            return note

    compute_in_batches(monkeypatch, Noted)
    monkeypatch.setattr(execution, "Execution", partial(execution.Execution, device_lock=lock))
    build(BuildRequest(tmp_path / "s.zarr", small_demo, "demo", SpecRequest(recipe=tiny_recipe)))
    assert held == [True, *[True, False] * 6, False]


@pytest.mark.parametrize("features", ["mel", "mel,mfcc,delta,delta2,chroma,rms,zcr"])
def test_a_whole_build_on_a_pretended_gpu_waits_once_per_batch(
    features: str, own_demo: Path, tiny_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.batch_size.MOST_CLIPS", 16)
    spec = SpecRequest(recipe=tiny_recipe, features=features)
    build(BuildRequest(tmp_path / "cpu.zarr", own_demo, "demo", spec))
    with pretend_cuda() as waits:
        for name in ("first.zarr", "gpu.zarr"):  # the first waits for the constants, too
            waits.forget()
            report = build(BuildRequest(tmp_path / name, own_demo, "demo", spec, device="cuda"))
    assert waits.by_file() == {"pipelines/transfer.py": -(-report.clips_built // 16)}, waits
    assert verify(tmp_path / "gpu.zarr", full=True).ok
    one, other = FeatureStore.open(tmp_path / "cpu.zarr"), FeatureStore.open(tmp_path / "gpu.zarr")
    clips = np.flatnonzero(one.manifest["status"] == "ok")
    for feature in features.split(","):
        here, there = (store.read(clips, (0, 1, 2), (feature,))[feature] for store in (one, other))
        assert np.abs(there.astype(np.float32) - here.astype(np.float32)).mean() < 1e-2
