"""A build while others read: they get the right numbers of the version that they opened, or are told why."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featurestore.build import BuildRequest, build
from featurestore.read.objects import Objects
from featurestore.store import FeatureStore
from schemas.errors import StoreChangedError, StoreNotFoundError, StoreUnfinishedError
from tests.faults.children import Children
from tests.faults.conftest import Sound, copied

ALLOWED = (StoreChangedError, StoreUnfinishedError, StoreNotFoundError)


def keep_reading(where: Path, versions: list[Path], stop: Any, reached: Any, seed: int) -> Counter[str]:
    """Open, read until told that the store has changed, open again; counts what happened.

    Each store is compared with the version in ``versions`` that has its digest. The first reading of a
    version goes into the queue ``reached``.
    """
    truth = {}
    for path in versions:
        store = FeatureStore.open(path)
        truth[store.digest] = (
            list(store.manifest["clip_id"]),
            store.read(range(len(store.manifest)), (0, 1)),
        )
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    while not stop.is_set():
        try:
            store = FeatureStore.open(where)
            ids, features = truth[store.digest]
            for _ in range(rng.randrange(1, 30)):
                assert list(store.manifest["clip_id"]) == ids
                clips = [rng.randrange(len(ids)) for _ in range(20)]
                for name, values in store.read(clips, (0, 1)).items():
                    right = features[name][:, clips]
                    assert np.array_equal(values, right, equal_nan=True), f"{name} of {clips}, seed {seed}"
                row = clips[0]
                raw = store.arrays["demo"]["mel"][0, row]
                assert np.array_equal(raw, features["mel"][0, row], equal_nan=True), (
                    f"array, row {row}, seed {seed}"
                )
                seen[store.digest] += 1
                if seen[store.digest] == 1:
                    reached.put((seed, store.digest))
        except ALLOWED as error:
            seen[type(error).__name__] += 1
    return seen


def _await_both(reached: Any, digest: str) -> None:
    """Return when both readers have read the version."""
    missing = {0, 1}
    while missing:
        seed, read = reached.get(timeout=120)
        if read == digest:
            missing.discard(seed)


@pytest.mark.slow
def test_readers_during_extensions_and_rebuilds(sound: Sound, children: Children, tmp_path: Path) -> None:
    """Four versions in turn: other recordings, more clips, a further feature."""
    corpora = tmp_path / "corpora"
    shutil.copytree(sound.corpora, corpora)
    late = list((corpora / "demo").glob("m0?/*_s3_*_2.wav"))
    changing = sorted((corpora / "demo").glob("f0?/*_s1_*_1.wav"))[::7]
    other = sorted((corpora / "demo").glob("f0?/*_s2_*_1.wav"))[::7]
    out = tmp_path / "s.zarr"
    request = BuildRequest(out, corpora, "demo", sound.spec, jobs=1)
    steps: list[tuple[Path, BuildRequest]] = []

    def version(name: str, request: BuildRequest) -> None:
        state = Path(shutil.copytree(corpora, tmp_path / name))
        steps.append((state, replace(request, corpora=state)))
        path = tmp_path / f"{name}.zarr"
        if steps[:-1]:
            copied(tmp_path / f"{steps[-2][0].name}.zarr", path)
        build(replace(request, out=path, corpora=state))

    for path in late:
        path.rename(tmp_path / path.name)
    version("first", request)
    for one, two in zip(changing, other, strict=True):
        shutil.copy(two, one)
    version("changed", request)
    for path in late:
        (tmp_path / path.name).rename(path)
    version("more", request)
    version("feature", replace(request, spec=replace(sound.spec, features="mel,rms,zcr")))
    versions = [tmp_path / f"{state.name}.zarr" for state, _ in steps]
    digests = {FeatureStore.open(path).digest for path in versions}
    assert len(digests) == len(versions)

    with get_context("forkserver").Manager() as manager:
        stop, reached = manager.Event(), manager.Queue()
        copied(versions[0], out)
        readers = [children.start(keep_reading, out, versions, stop, reached, seed) for seed in range(2)]
        for _, step in steps[1:]:
            _await_both(reached, FeatureStore.open(out).digest)
            build(replace(step, out=out))
        _await_both(reached, FeatureStore.open(out).digest)
        stop.set()
        seen = [reader.result() for reader in readers]
    assert all(isinstance(counts, Counter) for counts in seen), seen
    together = sum(seen, Counter())
    assert together.keys() >= digests
    assert together.keys() & {error.__name__ for error in ALLOWED}, together


def test_a_rebuild_between_the_check_of_a_shard_and_its_reading(
    sound: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment that no loop meets: the shard is replaced after it was hashed, before it is read."""
    out = copied(sound.path, tmp_path / "s.zarr")
    store = FeatureStore.open(out)
    shard, ensure = "demo/mel/c/0/0/0/0", Objects.ensure
    swapped = (sound.path / "demo/mel/c/1/0/0/0").read_bytes()

    def ensure_then_replace(objects: Objects, names: Any) -> None:
        ensure(objects, names)
        monkeypatch.setattr(Objects, "ensure", ensure)
        (out / shard).unlink()
        (out / shard).write_bytes(swapped)
        (out / "store.json").unlink()

    store.manifest  # noqa: B018
    for read in (lambda: store.read([0], (0,), ("mel",)), lambda: store.arrays["demo"]["mel"][0, 0]):
        copied_back = (sound.path / shard).read_bytes()
        (out / shard).write_bytes(copied_back)
        shutil.copy(sound.path / "store.json", out)
        monkeypatch.setattr(Objects, "ensure", ensure_then_replace)
        with pytest.raises(StoreChangedError):
            read()
