"""Bits flipped, objects cut off, lost and swapped: found, never read in silence, repaired and nothing else.

Each fault is tried alone: `verify --full` must name its object and clips, and every way of reading must give
the right numbers or refuse. Then all faults of a round together are repaired by one `build --check`.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import SerError
from tests.faults.conftest import Sound
from tests.faults.damage import Damage, of_store_json, one_of_each_kind, swaps, unit_of
from tests.faults.reading import READS_FEATURES, REFUSED, RIGHT, outcomes, sentences

FLIPS, CUTS, LOSSES, SWAPS = 4, 2, 2, 2
"""Rounds, each of one fault of every kind of object, or of five swaps; half of them of the raw store.

A flip has a place and a bit that are drawn, so there are more of them."""


@pytest.fixture
def store(sound: Sound, raw: Sound, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Sound]:
    """A copy by hard links, of the compressed store in even rounds and of the raw one in odd rounds."""
    of = raw if request.node.callspec.params.get("round_", 0) % 2 else sound
    return Path(shutil.copytree(of.path, tmp_path / "s.zarr", copy_function=os.link)), of


def test_the_sound_store_is_what_other_readers_see(sound: Sound) -> None:
    """Otherwise the comparisons below would compare the store with itself."""
    group = zarr.open_group(sound.path, mode="r")
    for feature, values in sound.truth["read"].items():
        assert np.array_equal(values, group[f"demo/{feature}"][:], equal_nan=True)
    for table in ("manifest", "views"):
        other = pd.read_parquet(sound.path / f"{table}.parquet")
        assert other.astype(object).equals(sound.truth[table].astype(object))


@pytest.mark.parametrize("round_", range(FLIPS))
@pytest.mark.slow
def test_flipped_bits(round_: int, store: tuple[Path, Sound]) -> None:
    out, of = store
    _each_then_all(out, of, one_of_each_kind("flip", of.path, random.Random(f"flip {round_}")))


@pytest.mark.parametrize("round_", range(CUTS))
@pytest.mark.slow
def test_truncated_objects(round_: int, store: tuple[Path, Sound]) -> None:
    out, of = store
    _each_then_all(out, of, one_of_each_kind("truncate", of.path, random.Random(f"truncate {round_}")))


@pytest.mark.parametrize("round_", range(LOSSES))
@pytest.mark.slow
def test_deleted_objects(round_: int, store: tuple[Path, Sound]) -> None:
    out, of = store
    _each_then_all(out, of, one_of_each_kind("delete", of.path, random.Random(f"delete {round_}")))


@pytest.mark.parametrize("round_", range(SWAPS))
@pytest.mark.slow
def test_swapped_shards(round_: int, store: tuple[Path, Sound]) -> None:
    """In the raw store all shards of a unit and feature have one size: sizes alone would tell nothing."""
    out, of = store
    _each_then_all(out, of, swaps(of.path, 5, random.Random(f"swap {round_}"), alike=round_ % 2 == 1))


@pytest.mark.parametrize(("what", "count"), [("flip", 6), ("truncate", 2), ("delete", 2)])
@pytest.mark.slow
def test_a_damaged_store_json(what: str, count: int, sound: Sound, tmp_path: Path) -> None:
    """Nothing is read by it, and it is written again from the records, without computing anything."""
    for fault in of_store_json(what, sound.path, count, random.Random(f"store.json {what}")):
        out = Path(shutil.copytree(sound.path, tmp_path / "s.zarr", copy_function=os.link))
        before = _states(out, units={0, 1, 2})
        fault.do(out)
        with pytest.raises(SerError, match=r"store\.json|not finished"):
            verify(out, full=True)
        assert set(outcomes(out, sound.truth, fault).values()) == {REFUSED}, fault
        report = sound.build(out, check=True)
        assert (report.units_built, report.document.digest) == (0, sound.digest), fault
        assert _states(out, units={0, 1, 2}) == before, fault
        assert verify(out, full=True).ok, fault
        shutil.rmtree(out)


@pytest.mark.parametrize("what", ["flip", "delete"])
def test_the_layout_of_a_corpus_with_a_history_survives_its_record(
    what: str, sound: Sound, small_demo: Path, tmp_path: Path
) -> None:
    """Clips that came later stand at the end, a removed one has left its row: sorting would lay out anew."""
    corpora, out = tmp_path / "corpora", tmp_path / "s.zarr"
    shutil.copytree(small_demo, corpora)
    recordings = sorted((corpora / "demo").glob("*/*.wav"))
    recordings[3].rename(tmp_path / "late.wav")
    sound.build(out, corpora=corpora)
    (tmp_path / "late.wav").rename(recordings[3])
    recordings[50].unlink()
    grown = sound.build(out, corpora=corpora).document
    recordings[20].unlink()
    digest = sound.build(out, corpora=corpora).document.digest
    assert digest != grown.digest
    path = out / "records/demo/corpus.json"
    clip_id = FeatureStore.open(out).manifest["clip_id"].iloc[30].encode()
    data = path.read_bytes()
    path.unlink()
    if what == "flip":
        path.write_bytes(data.replace(clip_id, clip_id[:-1] + bytes([clip_id[-1] ^ 1])))
    report = sound.build(out, corpora=corpora)
    assert (report.units_built, report.document.digest) == (0, digest)
    assert verify(out, full=True).ok


def _each_then_all(out: Path, of: Sound, faults: Sequence[Damage]) -> None:
    for fault in faults:
        fault.do(out)
        _is_found(out, of, fault)
        _is_never_read_in_silence(out, of, fault)
        fault.undo(out, of.path)
    for fault in faults:
        fault.do(out)
    hit = {unit for fault in faults for name in fault.names if (unit := unit_of(name)) is not None}
    others = {0, 1, 2} - hit
    before = _states(out, others)
    report = of.build(out, check=True)
    assert report.units_built == len(hit), faults
    assert report.document.digest == of.digest, faults
    assert _states(out, others) == before, faults
    result = verify(out, full=True)
    assert result.ok, faults
    assert result.strangers == (), faults


def _is_found(out: Path, of: Sound, fault: Damage) -> None:
    findings = {finding.name: finding for finding in verify(out, full=True).findings}
    assert findings.keys() == set(fault.names), fault
    for name, finding in findings.items():
        unit = unit_of(name)
        assert finding.clips == (of.clips[unit] if unit is not None else ()), fault


def _is_never_read_in_silence(out: Path, of: Sound, fault: Damage) -> None:
    found = sentences(out, of.truth, fault)
    right = {way for way, told in found.items() if told == RIGHT}
    if fault.name.count("/") == 6:
        assert right == found.keys() - READS_FEATURES, fault
        assert all(any(name in found[way] for name in fault.names) for way in READS_FEATURES), (fault, found)
    elif fault.name.startswith("records/") or fault.name.endswith("/zarr.json"):
        assert right >= {"manifest", "views", "statistics", "read", "arrays"}, (fault, found)
    elif fault.name.endswith(".parquet"):
        assert fault.name.removesuffix(".parquet") not in right, fault


def _states(out: Path, units: set[int]) -> dict[str, tuple[int, int]]:
    """Inode and mtime of all that belongs to units."""
    found = {}
    for path in out.rglob("*"):
        name = path.relative_to(out).as_posix()
        if path.is_file() and unit_of(name) in units:
            status = path.stat()
            found[name] = (status.st_ino, status.st_mtime_ns)
    return found
