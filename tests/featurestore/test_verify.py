from pathlib import Path

import numpy as np
import pytest

from featurestore.format.layout import shard_path
from featurestore.verify import Fault, verify
from tests.tiny_store import Builder

SHARD = shard_path("demo", "mel", 2, 1)


def test_a_sound_store_is_ok(tiny_store: Path) -> None:
    for full in (False, True):
        result = verify(tiny_store, full=full)
        assert result.ok
        assert result.bytes == sum(
            p.stat().st_size
            for p in tiny_store.rglob("*")
            if p.is_file() and p.name not in {"store.json", ".build.lock"}
        )


def test_a_missing_shard_is_named_with_its_clips(own_store: Path) -> None:
    (own_store / SHARD).unlink()
    (finding,) = verify(own_store).findings
    assert (finding.name, finding.fault, len(finding.clips)) == (SHARD, Fault.MISSING, 256)


def test_a_truncated_object_is_named(own_store: Path) -> None:
    path = own_store / SHARD
    path.write_bytes(path.read_bytes()[:-1])
    (finding,) = verify(own_store).findings
    assert (finding.name, finding.fault) == (SHARD, Fault.SIZE)


def test_a_flipped_bit_anywhere_is_found_in_full(own_store: Path) -> None:
    rng = np.random.default_rng(0)
    files = sorted(
        p for p in own_store.rglob("*") if p.is_file() and p.name not in {"store.json", ".build.lock"}
    )
    for path in rng.choice(np.array(files, dtype=object), 12, replace=False):
        original = path.read_bytes()
        data = bytearray(original)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        (finding,) = verify(own_store, full=True).findings
        assert (finding.name, finding.fault) == (path.relative_to(own_store).as_posix(), Fault.CONTENT)
        path.write_bytes(original)


def test_quick_hashes_all_but_the_features(own_store: Path) -> None:
    for name in ("views.parquet", "records/demo/00002.json", "demo/mel/zarr.json"):
        path = own_store / name
        original = path.read_bytes()
        path.write_bytes(original[:-2] + b"  ")
        assert [finding.name for finding in verify(own_store).findings] == [name]
        path.write_bytes(original)


def test_two_swapped_shards_are_both_found(own_store: Path) -> None:
    one, two = own_store / shard_path("demo", "rms", 0, 0), own_store / shard_path("demo", "rms", 1, 0)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert {Path(finding.name).parts[3] for finding in verify(own_store, full=True).findings} == {"0", "1"}


def test_a_file_that_is_no_object_is_told_and_a_build_removes_it_from_its_folders(
    own_store: Path, whole_demo: Path, tiny_build: Builder
) -> None:
    (own_store / "demo" / "notes.txt").write_text("mine")
    result = verify(own_store)
    assert result.ok
    assert result.strangers == ("demo/notes.txt",)
    assert tiny_build(own_store, whole_demo).units_built == 0
    assert verify(own_store).strangers == ()


def test_check_finds_and_repairs_flipped_bits_that_sizes_do_not_show(
    own_store: Path, tiny_store: Path, whole_demo: Path, tiny_build: Builder
) -> None:
    path = own_store / SHARD
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    assert tiny_build(own_store, whole_demo).units_built == 0
    assert tiny_build(own_store, whole_demo, check=True).units_built == 1
    result = verify(own_store, full=True)
    assert result.ok
    assert result.digest == verify(tiny_store).digest


@pytest.mark.parametrize("name", [SHARD, "manifest.parquet", "demo/frame/c/0", "records/demo/00000.parquet"])
def test_building_again_repairs_what_is_missing(
    name: str, own_store: Path, whole_demo: Path, tiny_build: Builder
) -> None:
    (own_store / name).unlink()
    assert not verify(own_store).ok
    tiny_build(own_store, whole_demo)
    assert verify(own_store, full=True).ok
