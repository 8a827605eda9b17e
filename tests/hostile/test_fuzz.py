"""Random damage to what a reader parses: the answer is always one sentence, or a sound store."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.format.documents import CorpusRecord, StoreDocument, UnitRecord
from featurestore.format.json_limits import parse_json_document
from featurestore.format.limits import check_declared
from featurestore.format.parquet_layout import read_layout
from featurestore.format.shard_frames import check_shard
from featurestore.format.thrift import read_struct
from featurestore.read.table_values import read_manifest, read_statistics, read_views
from featurestore.store import FeatureStore
from schemas.errors import SerError, StoreDamagedError
from tests.hostile.forge import forged

SPITEFUL = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1e308,
    0.5,
    "",
    "../x",
    "\0",
    "\x1b[2J",
    "\U0001f600" * 100,
    [],
    {},
    [[]],
    {"": {}},
    ["x"] * 50,
)


def mutated(value: Any, rng: np.random.Generator) -> Any:
    """A copy of a JSON value with one place changed: another value, a key more or less, or twins swapped."""
    value = copy.deepcopy(value)
    place: Any = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return SPITEFUL[rng.integers(len(SPITEFUL))]
        key = keys[rng.integers(len(keys))]
        if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.8:
            place = place[key]
            continue
        spite = SPITEFUL[rng.integers(len(SPITEFUL))]
        match rng.integers(4):
            case 0:
                del place[key]
            case 1 if isinstance(place, dict):
                place[str(spite)[:200]] = place[key]
            case 2:
                other = keys[rng.integers(len(keys))]
                place[key], place[other] = place[other], place[key]
            case _:
                place[key] = spite
        return value


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes flipped, overwritten, cut off, left out or put in twice."""
    out = bytearray(data)
    match rng.integers(6):
        case 0:
            return bytes(out[: rng.integers(len(out))])
        case 1:
            start = int(rng.integers(len(out)))
            del out[start : start + int(rng.integers(1, 64))]
        case 2:
            start = int(rng.integers(len(out)))
            out[start:start] = out[start : start + int(rng.integers(1, 64))]
        case 3:
            for position in rng.integers(
                max(0, len(out) - 4000), len(out), 3
            ):  # where Parquet has its footer
                out[position] ^= 1 << rng.integers(8)
        case _:
            for position in rng.integers(0, len(out), rng.integers(1, 5)):
                out[position] = rng.integers(256)
    return bytes(out)


def outcomes(act: Callable[[], object]) -> str:
    """``sound`` or ``refused``; anything but a :class:`SerError` comes through as it is."""
    try:
        act()
    except SerError as error:
        message = str(error)
        return (
            "refused" if "\n" not in message and len(message) < 1500 else f"not a sentence: {message[:200]}"
        )
    return "sound"


@pytest.mark.slow
def test_a_mutated_store_json_that_was_sealed_anew(tiny_store: Path, tmp_path: Path) -> None:
    """Structure changed, hashes made to fit: limits and the list of names are left to refuse it."""
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    original = forge.document
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        forge.document = mutated(original, rng)
        try:
            forge.seal()
        except (KeyError, TypeError, AttributeError, ValueError):
            forge.write_text(json.dumps(forge.document))
        found.append(outcomes(lambda: FeatureStore.open(forge.folder)))
    assert set(found) <= {"refused", "sound"}
    assert found.count("refused") > 170


def test_a_store_json_of_damaged_bytes(tiny_store: Path, tmp_path: Path) -> None:
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    original = (forge.folder / "store.json").read_bytes()
    rng = np.random.default_rng(1)
    found = []
    for _ in range(600):
        (forge.folder / "store.json").write_bytes(damaged(original, rng))
        found.append(outcomes(lambda: FeatureStore.open(forge.folder)))
    assert set(found) <= {"refused", "sound"}
    assert found.count("refused") > 480


@pytest.mark.parametrize(("name", "kind"), [("corpus", CorpusRecord), ("00000", UnitRecord)])
def test_records_mutated_and_damaged(name: str, kind: type[Any], tiny_store: Path) -> None:
    text = (tiny_store / f"records/demo/{name}.json").read_text()
    value = json.loads(text)
    rng = np.random.default_rng(2)
    found = []
    for _ in range(150):
        data = json.dumps(mutated(value, rng)).encode()
        found.append(outcomes(lambda data=data: parse_json_document(data, "x.json", kind)))
        data = damaged(text.encode(), rng)
        found.append(outcomes(lambda data=data: parse_json_document(data, "x.json", kind)))
    assert set(found) <= {"refused", "sound"}
    assert found.count("refused") > 100


@settings(max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from([*StoreDocument.model_fields, *CorpusRecord.model_fields])
                | st.text(max_size=8),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_refused_or_a_document(value: Any) -> None:
    for kind in (StoreDocument, CorpusRecord, UnitRecord):
        with pytest.raises(StoreDamagedError, match=r"x\.json is damaged"):
            parse_json_document(json.dumps(value).encode(), "x.json", kind)


def test_limits_hold_for_any_numbers(tiny_store: Path) -> None:
    document = FeatureStore.open(tiny_store).document
    rng = np.random.default_rng(3)
    numbers = (0, 1, 2, 3, 256, 672, 2**31, 2**63, 10**300)
    found = []
    for _ in range(500):
        fields = {
            name: numbers[rng.integers(len(numbers))] for name in ("rows", "clips", "bad", "units", "ignored")
        }
        entry = document.datasets["demo"].model_copy(update=fields)
        changed = document.model_copy(update={"datasets": {"demo": entry}})
        found.append(outcomes(lambda changed=changed: check_declared(changed)))
    assert set(found) <= {"refused", "sound"}


@pytest.mark.slow
def test_tables_of_damaged_bytes(tiny_store: Path) -> None:
    store = FeatureStore.open(tiny_store)
    manifest, spec = store.manifest, store.spec
    rng = np.random.default_rng(4)
    readers: dict[str, Callable[[bytes], object]] = {
        "manifest": lambda data: read_manifest(data, store.document.datasets),
        "views": lambda data: read_views(data, manifest, spec),
        "statistics": lambda data: read_statistics(data, manifest, spec),
    }
    for name, read in readers.items():
        original = (tiny_store / f"{name}.parquet").read_bytes()
        found = []
        for _ in range(300):
            data = damaged(original, rng)
            found.append(outcomes(lambda data=data, read=read: read(data)))
        assert set(found) <= {"refused", "sound"}
        assert found.count("refused") > 130


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_no_parquet_and_no_thrift_or_are_told_so(data: bytes) -> None:
    for act in (
        lambda: read_struct(memoryview(data)),
        lambda: read_layout(b"PAR1" + data + len(data).to_bytes(4, "little") + b"PAR1", 3),
    ):
        try:
            act()
        except ValueError as error:
            assert str(error)  # noqa: PT017 both a result and this error are right


def test_shards_of_damaged_bytes(tiny_store: Path, tmp_path: Path) -> None:
    """Damage to lengths and frames is found before decoding; what is left is for zstd's checksum."""
    spec = FeatureStore.open(tiny_store).spec
    name = "demo/mel/c/0/0/0/0"
    original = (tiny_store / name).read_bytes()
    rng = np.random.default_rng(5)
    path = tmp_path / "shard"
    found = []
    for _ in range(400):
        path.write_bytes(damaged(original, rng))
        found.append(outcomes(lambda: check_shard(path, name, spec)))
    assert set(found) <= {"refused", "sound"}
    assert found.count("refused") > 120
