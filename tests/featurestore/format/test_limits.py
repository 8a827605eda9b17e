"""What a store may declare, and the JSON in which it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from featurestore.format.documents import DatasetEntry, StoreDocument
from featurestore.format.json_limits import parse_json_document
from featurestore.format.limits import MOST_STORE_JSON, check_declared, most_bytes
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError
from schemas.names import is_corpus_name
from schemas.spec import StoreSpec

ENTRY = {
    "title": "t",
    "licence": "l",
    "home_page": "h",
    "rows": 300,
    "clips": 290,
    "bad": 2,
    "ignored": 0,
    "units": 2,
}


def document() -> dict[str, Any]:
    """One corpus of 300 rows in two units, one feature, one view."""
    names = [f"made/rms/c/0/{unit}/0/0" for unit in (0, 1)]
    return {
        "format": "ser-feature-store",
        "format_version": 3,
        "digest": "sha256:" + "0" * 64,
        "spec": {"features": [{"kind": "rms"}]},
        "spec_digest": "sha256:" + "0" * 64,
        "feature_version": 1,
        "datasets": {"made": dict(ENTRY)},
        "objects": {name: {"bytes": 1000, "sha256": "0" * 64} for name in names},
        "libraries": {},
    }


def parsed(value: dict[str, Any]) -> StoreDocument:
    return parse_json_document(json.dumps(value).encode(), "store.json", StoreDocument)


def test_a_sound_declaration_passes() -> None:
    check_declared(parsed(document()))


def test_every_object_of_a_store_is_within_its_most_bytes_and_not_by_much_more(tiny_store: Path) -> None:
    stored = FeatureStore.open(tiny_store).document
    rows = {name: entry.rows for name, entry in stored.datasets.items()}
    for name, entry in stored.objects.items():
        assert entry.bytes <= most_bytes(name, stored.spec, rows)
    plain = 256 * 16 * stored.spec.frames * 2
    assert plain <= most_bytes("demo/mel/c/2/1/0/0", stored.spec, rows) < 1.2 * plain + 20_000


def test_a_shard_of_noise_fits(tmp_path: Path) -> None:
    """Numbers that no codec compresses take no more than is allowed, with every codec."""
    import numpy as np
    import zarr

    from featurestore.format.codecs import compressors
    from schemas.spec import StorageSpec

    for codec in ("zstd", "blosc", "none"):
        spec = StoreSpec.model_validate(
            {"features": [{"kind": "mel"}], "storage": {"codec": codec, "dtype": "float32"}}
        )
        within = (128, spec.frames)
        array = zarr.create_array(
            tmp_path / codec,
            shape=(1, 256, *within),
            dtype="float32",
            chunks=(1, 32, *within),
            shards=(1, 256, *within),
            compressors=compressors(StorageSpec(codec=codec, dtype="float32")),
        )
        array[:] = np.random.default_rng(0).integers(0, 2**32, array.shape, np.uint32).view(np.float32)
        size = (tmp_path / codec / "c/0/0/0/0").stat().st_size
        assert size > 0.95 * 4 * 256 * 128 * spec.frames
        assert size <= most_bytes("made/mel/c/0/0/0/0", spec, {"made": 256})


@pytest.mark.parametrize("name", ["ravdess", "crema-d", "a", "9", "x" * 32, "my_corpus"])
def test_names_of_corpora(name: str) -> None:
    assert is_corpus_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "records",
        "versions",
        "con",
        "nul",
        "com1",
        "A",
        "a/b",
        "a\\b",
        "-a",
        "a.b",
        "x" * 33,
        "a\n",
        "é",
        "a b",
    ],
)
def test_names_that_no_corpus_has(name: str) -> None:
    assert not is_corpus_name(name)


def _entry(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["datasets"]["made"].update(values)


def _object(name: str, size: int = 1) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["objects"].update({name: {"bytes": size, "sha256": "0" * 64}})


def _corpus(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["datasets"].update({name: dict(ENTRY)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_entry(units=3), "declares 3 units for made, but 300 rows make 2 units of 256"),
        (_entry(clips=301), "declares 2 bad of 301 clips in 300 rows for made"),
        (_entry(bad=291), "declares 291 bad of 290 clips"),
        (_entry(rows=10**12), "declares 2 units for made, but 1,000,000,000,000 rows"),
        (_entry(rows=10**12, units=3_906_250_000), "declares 1,000,000,000,000 rows"),
        (_entry(rows=10**4200), "declares rows = a number of 13,953 bits for made"),
        (_entry(rows=256 * 39_000, units=39_000), "which need 39,000 shards, but lists 2 objects"),
        (_entry(title="\x1b[2J"), r"has the title '\\x1b\[2J' for made"),
        (_entry(licence="x" * 5_000), "has the licence 'xxx"),
        (_corpus(".."), r"names a corpus '\.\.'"),
        (_corpus("records"), "names a corpus 'records'"),
        (_corpus("con"), "names a corpus 'con'"),
        (
            _object("made/rms/c/0/0/0/0", 2**40),
            "declares 1,099,511,627,776 bytes for 'made/rms/c/0/0/0/0', but at most",
        ),
        (
            _object("manifest.parquet", 2**30),
            "declares 1,073,741,824 bytes for 'manifest.parquet', but at most",
        ),
        (_object("../../etc/passwd"), r"lists '\.\./\.\./etc/passwd', which is not an object"),
        (_object("/etc/passwd"), "lists '/etc/passwd', which is not an object"),
        (_object("made/mel/c/0/0/0/0"), "lists 'made/mel/c/0/0/0/0', which is not an object"),
        (_object("x" * 10**6), "lists 'xxx.*', which is not an object"),
        (
            lambda value: value.update(
                spec={
                    "audio": {"sample_rate": 8000, "duration_s": 60},
                    "spectral": {"hop_length": 25},
                    "features": [{"kind": "mel", "n_mels": 512}],
                    "storage": {"dtype": "float32"},
                }
            ),
            "make chunks of [0-9,]+ bytes",
        ),
        (
            lambda value: value["spec"].update(
                views=[{"name": f"v{index}", "kind": "noise", "snr_db": 10} for index in range(200)]
            ),
            "201 views",
        ),
    ],
)
def test_what_cannot_be_or_would_take_too_much_is_refused(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    value = document()
    change(value)
    with pytest.raises(StoreDamagedError, match=message) as caught:
        check_declared(parsed(value))
    assert len(str(caught.value)) < 500


BODY = json.dumps(ENTRY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BODY.replace('"clips": 290', '"clips": "290"'), r"clips: .* \(got '290'\)"),
        (BODY.replace('"clips": 290', '"clips": 290.0'), r"clips: .* \(got 290\.0\)"),
        (BODY.replace('"clips": 290', '"clips": true'), r"clips: .* \(got True\)"),
        (BODY.replace('"clips": 290', '"clips": -1'), r"clips: .* \(got -1\)"),
        (BODY.replace('"clips": 290', '"clips": NaN'), "clips: "),
        (BODY.replace('"clips": 290', '"clips": 1e999'), "clips: "),
        (BODY.replace('"clips": 290', '"clips": ' + "9" * 10_000), "number out of range"),
        (BODY.replace('"clips": 290', '"clips": 290, "clips": 1'), "the key 'clips' appears twice"),
        (BODY.replace('"t"', r'"\ud800"'), "Invalid JSON"),
        (BODY.replace('"t"', '"\x01"'), "Invalid JSON"),
        (BODY.replace('"t"', '["t"]'), "title: "),
        (BODY.replace('"t"', "null"), "title: "),
        (BODY[:-1] + ', "x": 1}', r"x: Extra inputs are not permitted \(got 1\)"),
        (BODY[:-1] + f', "{"x" * 10**6}": 1}}', "Extra inputs are not permitted"),
        (BODY.replace('"t"', f'{{"{"x" * 10**6}": 1}}'), "title: "),
        (BODY + "{}", "trailing characters"),
        ("[" * 10**5, "recursion limit exceeded"),
        ('{"title":' * 10**5, "recursion limit exceeded"),
        ("[" + "1," * 10**6 + "1]", "it packs 1,000,001 values into 2,000,003 bytes"),
        ("", "Invalid JSON"),
        ("[]", "as a whole: "),
    ],
)
def test_json_that_is_not_what_it_should_be_is_refused_in_one_short_sentence(text: str, message: str) -> None:
    with pytest.raises(StoreDamagedError, match=message) as caught:
        parse_json_document(text.encode(), "x.json", DatasetEntry)
    assert str(caught.value).startswith("x.json is damaged (")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"\xef\xbb\xbf" + BODY.encode(), BODY.encode("utf-16"), BODY.replace("t", "\0").encode()],
)
def test_bytes_that_are_not_json_in_utf_8_are_refused(data: bytes) -> None:
    with pytest.raises(StoreDamagedError, match="Invalid JSON"):
        parse_json_document(data, "x.json", DatasetEntry)


def test_utf_8_that_encodes_a_surrogate_is_refused() -> None:
    with pytest.raises(StoreDamagedError, match="unicode"):
        parse_json_document(BODY.encode().replace(b'"t"', b'"\xed\xa0\x80"'), "x.json", DatasetEntry)


def test_a_document_of_ten_thousand_objects_is_no_bomb() -> None:
    value = document()
    value["objects"] = {
        f"made/rms/c/0/{unit}/0/0": {"bytes": 1, "sha256": "0" * 64} for unit in range(200_000)
    }
    text = json.dumps(value, separators=(",", ":")).encode()
    assert len(text) < MOST_STORE_JSON
    assert len(parse_json_document(text, "store.json", StoreDocument).objects) == 200_000
