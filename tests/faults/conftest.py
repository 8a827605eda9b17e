"""Small stores to damage, a child process to kill, and the stores that they must come back to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from tests.faults.children import Children
from tests.faults.reading import everything
from tests.featurestore.test_interrupted_builds import small_disk
from tests.once import Once

__all__ = ["small_disk"]


@dataclass(frozen=True)
class Sound:
    """A finished store that nobody changes: where it is, how it is built, what it gives to a reader."""

    path: Path
    corpora: Path
    spec: SpecRequest
    digest: str
    truth: dict[str, Any]
    clips: tuple[tuple[str, ...], ...]
    """Clip ids, unit by unit."""

    def request(self, out: Path, **other: Any) -> BuildRequest:
        """The build that makes this store."""
        return BuildRequest(
            **{"out": out, "corpora": self.corpora, "datasets": "demo", "spec": self.spec, "jobs": 1, **other}
        )

    def build(self, out: Path, **other: Any) -> BuildReport:
        """Build this store at ``out``."""
        return build(self.request(out, **other))


def sound_of(path: Path, corpora: Path, spec: SpecRequest) -> Sound:
    """Read all of a finished store of the demo corpus."""
    store = FeatureStore.open(path)
    unit = store.manifest["row"] // store.spec.storage.shard_clips
    clips = tuple(tuple(part) for _, part in store.manifest["clip_id"].groupby(unit))
    return Sound(path, corpora, spec, store.digest, everything(path), clips)


@pytest.fixture(scope="session")
def sound(tiny_store: Path, whole_demo: Path, tiny_recipe: str) -> Sound:
    """672 clips, three views, three units; zstd."""
    return sound_of(tiny_store, whole_demo, SpecRequest(recipe=tiny_recipe))


@pytest.fixture(scope="session")
def raw(whole_demo: Path, tiny_recipe: str, once: Once) -> Sound:
    """The same without compression: no checksum of a chunk, and shards of equal sizes."""
    spec = SpecRequest(recipe=tiny_recipe, codec="none", dtype="float32")
    path = once("tiny-raw.zarr", lambda out: build(BuildRequest(out, whole_demo, "demo", spec)))
    return sound_of(path, whole_demo, spec)


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    """Child processes that have imported everything, ready to be killed."""
    with Children() as started:
        yield started


def copied(store: Path, target: Path) -> Path:
    """A store of one's own."""
    return Path(shutil.copytree(store, target))
