"""Clocks that jump, and files of the past and the future: nothing that is kept or read depends on them."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.store import FeatureStore
from featurestore.verify import verify
from tests.faults.children import Children
from tests.faults.conftest import Sound, copied
from tests.faults.damage import Damage
from tests.faults.reading import RIGHT, outcomes

PAST, FUTURE = 0, 4_102_444_800
"""1970 and 2100."""


def build_by_a_mad_clock(request: BuildRequest, seed: int) -> str:
    """Build while ``time.time`` jumps between 1970 and 2100 at every call, and ``monotonic`` leaps ahead."""
    rng = random.Random(seed)
    steady, leaps = time.monotonic, [0.0]

    def leaping() -> float:
        leaps[0] += rng.choice((0.0, 0.0, 5.0))
        return steady() + leaps[0]

    time.time = lambda: rng.uniform(PAST, FUTURE)
    time.time_ns = lambda: rng.randrange(PAST, FUTURE) * 10**9
    time.monotonic = leaping
    return build(request).document.digest


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_build_by_a_clock_that_jumps(seed: int, sound: Sound, children: Children, tmp_path: Path) -> None:
    out = tmp_path / "s.zarr"
    assert children.start(build_by_a_mad_clock, sound.request(out), seed).result() == sound.digest
    assert children.start(build_by_a_mad_clock, sound.request(out, check=True), seed).result() == sound.digest
    assert verify(out, full=True).ok


@pytest.mark.parametrize("moment", [PAST, FUTURE])
def test_objects_of_another_time(moment: int, sound: Sound, tmp_path: Path) -> None:
    """Damage is found though the file has its old time and size."""
    out = copied(sound.path, tmp_path / "s.zarr")
    for path in out.rglob("*"):
        os.utime(path, (moment, moment))
    report = sound.build(out)
    assert (report.units_built, report.document.digest) == (0, sound.digest)
    assert set(outcomes(out, sound.truth, moment).values()) == {RIGHT}
    shard = "demo/mel/c/0/1/0/0"
    Damage("flip", shard, 1000, 3).do(out)
    os.utime(out / shard, (moment, moment))
    assert [finding.name for finding in verify(out, full=True).findings] == [shard]
    report = sound.build(out, check=True)
    assert (report.units_built, report.document.digest) == (1, sound.digest)


@pytest.mark.parametrize("moment", [PAST, FUTURE])
def test_recordings_of_another_time_that_change_within_their_size(
    moment: int, sound: Sound, small_demo: Path, tmp_path: Path
) -> None:
    """A recording is replaced by one of the same size and time: the store must not keep the old one."""
    corpora, out = tmp_path / "corpora", tmp_path / "s.zarr"
    shutil.copytree(small_demo, corpora)
    victim = sorted((corpora / "demo").glob("*/*.wav"))[7]
    size = victim.stat().st_size
    request = BuildRequest(out, corpora, "demo", sound.spec, jobs=1)

    def at(data: bytes) -> BuildReport:
        victim.write_bytes(data)
        os.utime(victim, (moment, moment))
        return build(request)

    first = bytearray(victim.read_bytes())
    before = at(bytes(first)).document.digest
    first[size // 2] ^= 64
    changed = at(bytes(first))
    assert changed.units_built == 1
    assert changed.document.digest != before
    first[size // 2] ^= 64
    assert at(bytes(first)).document.digest == before
    assert FeatureStore.open(out).digest == before
