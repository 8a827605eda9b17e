"""Hostile stores: each a function that turns the folder of a good one into something that must be refused.

All hashes fit, and so does the store's digest, unless that is the point. Reusable wherever a store comes in:
opening, reading, verifying, pulling, unpacking.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.forge import Forge, shard_of, zstd_frame
from tests.hostile.parquet import data_page, with_chunk, write

SHARD = "demo/mel/c/0/0/0/0"


@dataclass(frozen=True)
class Hostile:
    """``make`` changes the store. ``at`` tells when it must be refused: on ``open``, or on ``read`` at last.

    ``message`` : pattern of the sentence. ``travels`` : whether it is still hostile as a list of plain files
    (links and pipes are not).
    """

    name: str
    make: Callable[[Forge], None]
    at: str
    message: str
    travels: bool = True


HOSTILE: list[Hostile] = []


def _hostile(
    at: str, message: str, *, travels: bool = True
) -> Callable[[Callable[[Forge], None]], Callable[[Forge], None]]:
    def register(make: Callable[[Forge], None]) -> Callable[[Forge], None]:
        HOSTILE.append(Hostile(make.__name__, make, at, message, travels))
        return make

    return register


def _add(name: str, at: str, message: str, make: Callable[[Forge], None], *, travels: bool = True) -> None:
    HOSTILE.append(Hostile(name, make, at, message, travels))


# Names


def _named(name: str) -> Callable[[Forge], None]:
    def make(forge: Forge) -> None:
        forge.document["objects"][name] = {"bytes": 1, "sha256": "0" * 64}
        forge.seal()

    return make


for _name in (
    "../outside.txt",
    "/etc/passwd",
    "demo/../../outside",
    "demo\\mel",
    "demo/mel\0/zarr.json",
    "./manifest.parquet",
    "demo//mel/zarr.json",
    "demo/mel/",
    "",
    "C:/Windows/x",
    "demo/me\u0301l/zarr.json",
    "notes.txt",
    "demo/mel/c/0/00/0/0",
    "demo/mel/c/0/-1/0/0",
    "x" * 5000,
):
    _add(
        f"an object named {_name[:30]!r}",
        "open",
        "not an object of a store|does not fit its specification",
        _named(_name),
    )

for _name in (
    "..",
    ".",
    "records",
    "versions",
    "con",
    "../../tmp/x",
    "/tmp/x",
    "De mo",
    "demo\n",
    "x" * 64,
    "\u0434emo",
):
    _add(
        f"a corpus named {_name[:30]!r}",
        "open",
        "names a corpus",
        lambda forge, name=_name: forge.rename_corpus(name),
    )


# What is there instead of a file


def _replaced(name: str, put: Callable[[Path], object]) -> Callable[[Forge], None]:
    def make(forge: Forge) -> None:
        path = forge.folder / name
        shutil.move(path, forge.folder.parent / "outside")
        put(path)

    return make


_LINKED = "is a link|leads out of the store|is not a regular|does not match store.json|missing"

for _name, _at in (
    ("store.json", "open"),
    ("manifest.parquet", "read"),
    (SHARD, "read"),
    ("demo/mel", "read"),
):
    _add(
        f"{_name} a link to the very file",
        _at,
        _LINKED,
        _replaced(_name, lambda path: path.symlink_to(_outside(path))),
        travels=False,
    )
    _add(
        f"{_name} a link to itself",
        _at,
        ".",
        _replaced(_name, lambda path: path.symlink_to(path.name)),
        travels=False,
    )
    _add(
        f"{_name} a link to nowhere",
        _at,
        ".",
        _replaced(_name, lambda path: path.symlink_to("/nonexistent/x")),
        travels=False,
    )
for _name, _at in (("store.json", "open"), ("manifest.parquet", "read"), (SHARD, "read")):
    _add(
        f"{_name} a pipe",
        _at,
        "is not a regular file|missing|not match",
        _replaced(_name, os.mkfifo),
        travels=False,
    )
    _add(
        f"{_name} a folder",
        _at,
        "is not a regular file|missing|not match|Is a directory",
        _replaced(_name, lambda path: path.mkdir()),
        travels=False,
    )
    _add(
        f"{_name} a link to /dev/zero",
        _at,
        _LINKED,
        _replaced(_name, lambda path: path.symlink_to("/dev/zero")),
        travels=False,
    )


def _outside(path: Path) -> Path:
    while path.suffix != ".zarr":
        path = path.parent
    return path.parent / "outside"


# What store.json declares


def _document(change: Callable[[dict[str, Any]], object]) -> Callable[[Forge], None]:
    def make(forge: Forge) -> None:
        change(forge.document)
        forge.seal()

    return make


def _of_corpus(**values: Any) -> Callable[[Forge], None]:
    return _document(lambda document: document["datasets"]["demo"].update(values))


def _of_spec(part: str, **values: Any) -> Callable[[Forge], None]:
    return _document(lambda document: document["spec"][part].update(values))


_DECLARED: list[tuple[str, str, Callable[[Forge], None]]] = [
    ("a million million rows", "1,000,000,000,000", _of_corpus(rows=10**12, units=-(-(10**12) // 256))),
    ("more rows than its objects hold", "units", _of_corpus(rows=256 * 9000, units=9000)),
    ("rows of 4,000 digits", "bits", _of_corpus(rows=10**4000)),
    ("units that do not fit its rows", "9 units", _of_corpus(units=9)),
    ("more clips than rows", "clips", _of_corpus(clips=10**6)),
    ("more bad clips than clips", "bad", _of_corpus(bad=10**6)),
    ("fewer than no clips", "clips", _of_corpus(clips=-1)),
    ("half a clip", "clips", _of_corpus(clips=671.5)),
    ("a title that clears the screen", r"title '\\x1b", _of_corpus(title="\x1b[2J\x1b[H")),
    ("a title of a megabyte", "title 'xxx", _of_corpus(title="x" * 2**20)),
    (
        "a shard of an exabyte",
        "1,152,921,504,606,846,976",
        _document(lambda document: document["objects"][SHARD].update(bytes=2**60)),
    ),
    (
        "a manifest of a gigabyte",
        "1,073,741,824",
        _document(lambda document: document["objects"]["manifest.parquet"].update(bytes=2**30)),
    ),
    (
        "a hash that is a path",
        "sha256",
        _document(lambda document: document["objects"][SHARD].update(sha256="../" * 21 + "x")),
    ),
    ("clips of thirty years", "duration_s|limit of 60 s", _of_spec("audio", duration_s=1e9)),
    ("a rate of a gigahertz", "sample_rate", _of_spec("audio", sample_rate=10**9)),
    ("a transform of a million points", "n_fft", _of_spec("spectral", n_fft=2**20)),
    ("chunks of one clip", "chunk_clips", _of_spec("storage", chunk_clips=1)),
    ("shards of a million clips", "shard_clips", _of_spec("storage", shard_clips=10**6)),
    ("objects for numbers", "dtype", _of_spec("storage", dtype="object")),
    ("pickle for a codec", "codec", _of_spec("storage", codec="pickle")),
    ("a module for a codec", "codec", _of_spec("storage", codec="os.system")),
    ("a field that nobody knows", "storage.x", _of_spec("storage", x=1)),
    (
        "a million bands",
        "n_mels",
        _document(lambda document: document["spec"]["features"][0].update(n_mels=10**6)),
    ),
    (
        "a module for a feature",
        "features",
        _document(lambda document: document["spec"]["features"].append({"kind": "os"})),
    ),
    (
        "ten thousand views",
        "10,001 views",
        _document(
            lambda document: document["spec"].update(
                views=[{"name": f"v{i}", "kind": "noise", "snr_db": 10.0} for i in range(10_000)]
            )
        ),
    ),
    (
        "a view named ..",
        "name",
        _document(lambda document: document["spec"]["views"][0].update(name="../x")),
    ),
    ("another format", "format", _document(lambda document: document.update(format="zip"))),
    ("a version to come", "version 99", _document(lambda document: document.update(format_version=99))),
    ("a digest that is a path", "part_of", _document(lambda document: document.update(part_of="../../x"))),
]
for _name, _message, _make in _DECLARED:
    _add(_name, "open", _message, _make)


@_hostile("open", "digest")
def a_digest_that_does_not_follow(forge: Forge) -> None:
    forge.document["digest"] = "sha256:" + "0" * 64
    forge.write_text(json.dumps(forge.document))


@_hostile("open", "spec_digest|digest")
def a_spec_digest_that_does_not_follow(forge: Forge) -> None:
    forge.document["spec_digest"] = "sha256:" + "0" * 64
    forge.write_text(json.dumps(forge.document))


# JSON


def _text(change: Callable[[str], str]) -> Callable[[Forge], None]:
    return lambda forge: forge.write_text(change(json.dumps(forge.document, ensure_ascii=False)))


_JSON: list[tuple[str, str, Callable[[Forge], None]]] = [
    ("no JSON", "JSON", _text(lambda text: "")),
    ("a list for a document", "as a whole", _text(lambda text: "[]")),
    ("null for a document", "as a whole", _text(lambda text: "null")),
    ("half a document", "JSON", _text(lambda text: text[: len(text) // 2])),
    ("two documents", "trailing", _text(lambda text: text + text)),
    ("JSON a hundred thousand deep", "recursion", _text(lambda text: '{"objects":' * 100_000)),
    ("lists a million deep", "store.json", _text(lambda text: "[" * 10**6)),
    ("two million values", "values", _text(lambda text: '{"objects":[' + "1," * 2 * 10**6 + "1]}")),
    (
        "a hundred thousand unknown keys",
        "store.json",
        _text(lambda text: text[:-1] + "".join(f',"{i}":0' for i in range(10**5)) + "}"),
    ),
    (
        "a number of a million digits",
        "number",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": ' + "9" * 10**6)),
    ),
    (
        "a number of a billion as 1e9",
        "feature_version",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": 1e9, "x": ')),
    ),
    (
        "not a number",
        "feature_version",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": NaN, "x": ')),
    ),
    (
        "infinity",
        "feature_version",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": Infinity, "x": ')),
    ),
    (
        "a key twice",
        "'digest' appears twice",
        _text(lambda text: text[:-1] + ', "digest": ' + text.split('"digest": ')[1].split(",")[0] + "}"),
    ),
    ("half a surrogate pair", "JSON", _text(lambda text: text.replace('"title": "', '"title": "\\ud800'))),
    ("a surrogate in UTF-8", "unicode", _text(lambda text: text.replace('"title": "', '"title": "\ud800'))),
    ("control characters in text", "control", _text(lambda text: text.replace('"title": "', '"title": "\0'))),
    (
        "numbers as text",
        "bytes",
        _text(
            lambda text: text.replace('"bytes": ', '"bytes": "', 1).replace(', "sha256"', '", "sha256"', 1)
        ),
    ),
    ("a key of a megabyte", "store.json", _text(lambda text: text[:-1] + f', "{"k" * 2**20}": 1}}')),
]
for _name, _message, _make in _JSON:
    _add(_name, "open", _message, _make)


@_hostile("open", "JSON")
def utf_16(forge: Forge) -> None:
    (forge.folder / "store.json").write_bytes(json.dumps(forge.document).encode("utf-16"))


@_hostile("open", "bytes, but at most")
def a_terabyte_of_nothing(forge: Forge) -> None:
    with (forge.folder / "store.json").open("r+b") as file:
        file.truncate(2**40)


# Tables


def _table(name: str, change: Callable[[pa.Table], pa.Table], **options: Any) -> Callable[[Forge], None]:
    def make(forge: Forge) -> None:
        forge.put_table(name, change(forge.table(name)), **options)
        forge.seal()

    return make


def _column(name: str, column: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[Forge], None]:
    def change_table(table: pa.Table) -> pa.Table:
        index = table.schema.get_field_index(column)
        field = table.schema.field(index)
        return table.set_column(index, field, pa.array(change(table[column].to_pylist()), field.type))

    return _table(name, change_table)


def _first(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value, *values[1:]]


_TABLES: list[tuple[str, str, Callable[[Forge], None]]] = [
    (
        "a manifest without emotions",
        "manifest.parquet",
        _table("manifest.parquet", lambda table: table.drop_columns(["emotion"])),
    ),
    (
        "a manifest with rows as text",
        "type string",
        _table(
            "manifest.parquet",
            lambda table: table.set_column(
                2, pa.field("row", pa.string(), nullable=False), table["row"].cast(pa.string())
            ),
        ),
    ),
    (
        "a manifest with nulls",
        "type int64",
        _table(
            "manifest.parquet",
            lambda table: table.set_column(2, "row", pa.array([None] * len(table), pa.int64())),
        ),
    ),
    (
        "a manifest of 20,000 columns",
        "manifest.parquet",
        _table("manifest.parquet", lambda table: pa.table({f"c{i}": [1] for i in range(20_000)})),
    ),
    (
        "a manifest twice as long",
        "1344 rows|1,344 rows",
        _table("manifest.parquet", lambda table: pa.concat_tables([table, table])),
    ),
    ("an empty manifest", "0 rows", _table("manifest.parquet", lambda table: table.slice(0, 0))),
    ("a manifest with a wrong emotion", "'joyful'", _column("manifest.parquet", "emotion", _first("joyful"))),
    ("a manifest with a wrong status", "'fine'", _column("manifest.parquet", "status", _first("fine"))),
    (
        "a manifest with a path out of the corpus",
        "'../../etc/passwd'",
        _column("manifest.parquet", "path", _first("../../etc/passwd")),
    ),
    (
        "a manifest with an absolute path",
        "'/etc/passwd'",
        _column("manifest.parquet", "path", _first("/etc/passwd")),
    ),
    (
        "a manifest with a row that is not there",
        "do not increase",
        _column("manifest.parquet", "row", lambda rows: [*rows[:-1], 2**40]),
    ),
    ("a manifest with a row below nought", "do not increase", _column("manifest.parquet", "row", _first(-1))),
    (
        "a manifest with a clip twice",
        "appears twice",
        _column("manifest.parquet", "clip_id", lambda ids: [ids[1], *ids[1:]]),
    ),
    (
        "a manifest with another corpus",
        "'other' as dataset",
        _column("manifest.parquet", "dataset", _first("other")),
    ),
    (
        "a manifest with a text of a megabyte",
        "1,048,576 bytes",
        _column("manifest.parquet", "problem", _first("x" * 2**20)),
    ),
    ("a manifest under gzip", "codec", _table("manifest.parquet", lambda table: table, compression="gzip")),
    (
        "a manifest in other encodings",
        "encoding|kind",
        _table("manifest.parquet", lambda table: table, data_page_version="2.0"),
    ),
    ("views of other clips", "as clip_id", _column("views.parquet", "clip_id", _first("demo/other"))),
    ("views of no known name", "as name", _column("views.parquet", "name", _first("x"))),
    (
        "views with more frames than there are",
        "as valid_frames",
        _column("views.parquet", "valid_frames", _first(10**9)),
    ),
    ("views with keys that are none", "as key", _column("views.parquet", "key", _first("os.system"))),
    (
        "statistics with long lists",
        "statistics.parquet",
        _column("statistics.parquet", "mean", _first([0.0] * 5000)),
    ),
    (
        "statistics that are not finite",
        "finite",
        _column("statistics.parquet", "mean", lambda means: [[float("inf")] * len(means[0]), *means[1:]]),
    ),
    (
        "statistics of a speaker that is not there",
        "does not have",
        _column("statistics.parquet", "speaker", _first("demo/x")),
    ),
]
for _name, _message, _make in _TABLES:
    _add(_name, "read", _message, _make)


@_hostile("read", "would take")
def a_text_of_the_manifest_repeated_to_gigabytes(forge: Forge) -> None:
    table = forge.table("manifest.parquet")
    text = pa.DictionaryArray.from_arrays(np.zeros(len(table), np.int32), ["x" * 32_000])
    index = table.schema.get_field_index("problem")
    field = pa.field("problem", text.type, nullable=False)
    forge.put("manifest.parquet", write(table.set_column(index, field, text), store_schema=False))
    forge.seal()


@_hostile("read", "would take 2,147,483,647 bytes")
def a_page_of_the_manifest_of_two_gigabytes(forge: Forge) -> None:
    data = write(forge.table("manifest.parquet"), use_dictionary=False)
    index = forge.table("manifest.parquet").schema.get_field_index("duration_s")
    length = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(index).total_compressed_size
    size = 2**31 - 1
    frame = zstd_frame(2**28)[: length // 2]
    page = next(
        page for extra in range(length) if len(page := data_page(672, size, frame + bytes(extra))) == length
    )
    forge.put("manifest.parquet", with_chunk(data, index, page))
    forge.seal()


@_hostile("read", "manifest.parquet")
def a_pickle_for_a_manifest(forge: Forge) -> None:
    forge.put("manifest.parquet", b"cos\nsystem\n(S'touch /tmp/pickled'\ntR.")
    forge.seal()


@_hostile("read", "manifest.parquet")
def a_manifest_cut_off(forge: Forge) -> None:
    data = (forge.folder / "manifest.parquet").read_bytes()
    forge.put("manifest.parquet", data[:1000] + data[-8:])
    forge.seal()


@_hostile("read", "type")
def an_extension_type_in_the_manifest(forge: Forge) -> None:
    table = forge.table("manifest.parquet")
    index = table.schema.get_field_index("problem")
    metadata = {b"ARROW:extension:name": b"arrow.json", b"ARROW:extension:metadata": b""}
    field = pa.field("problem", pa.large_string(), nullable=False, metadata=metadata)
    forge.put_table(
        "manifest.parquet", table.set_column(index, field, table["problem"].cast(pa.large_string()))
    )
    forge.seal()


# Shards


def _shard(make: Callable[[Forge], bytes]) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        forge.put(SHARD, make(forge))
        forge.seal()

    return change


CHUNK = 32 * 16 * 32 * 2
"""Bytes of a chunk of mel in the tests' tiny store."""

_SHARDS: list[tuple[str, str, Callable[[Forge], None]]] = [
    (
        "a chunk that announces a terabyte",
        "1,000,000,000,000|cannot be decoded",
        _shard(lambda forge: shard_of(zstd_frame(2**17, 10**12))),
    ),
    (
        "a chunk of two gigabytes of zeros",
        "2,147,483,648|cannot be decoded",
        _shard(lambda forge: shard_of(zstd_frame(2**31))),
    ),
    (
        "a chunk that says less than it holds",
        f"{SHARD}",
        _shard(lambda forge: shard_of(zstd_frame(2**31, CHUNK))),
    ),
    (
        "a chunk of ten thousand frames",
        f"{SHARD}",
        _shard(lambda forge: shard_of(zstd_frame(2**17) * 10_000)),
    ),
    (
        "a chunk that is right, and thousands behind it",
        f"{SHARD}",
        _shard(
            lambda forge: shard_of(
                numcodecs.Zstd(level=1).encode(np.zeros(CHUNK, np.uint8)) + zstd_frame(2**17) * 10_000
            )
        ),
    ),
    (
        "a chunk that says nothing of its size",
        f"{SHARD}",
        _shard(lambda forge: shard_of(b"\x28\xb5\x2f\xfd\x00\x38" + zstd_frame(2**30)[14:])),
    ),
    ("a shard of random bytes", f"{SHARD}", _shard(lambda forge: np.random.default_rng(0).bytes(100_000))),
    ("an empty shard", f"{SHARD}", _shard(lambda forge: b"")),
    (
        "a shard without chunks",
        f"{SHARD}",
        _shard(lambda forge: shard_of(b"")[:0] + struct.pack("<QQ", 2**64 - 1, 2**64 - 1) * 8 + b"\0\0\0\0"),
    ),
    (
        "chunks outside of their shard",
        f"{SHARD}",
        _shard(lambda forge: struct.pack("<QQ", 2**40, 2**40) * 8 + b"\0\0\0\0"),
    ),
    (
        "chunks of another size",
        f"{SHARD}",
        _shard(lambda forge: shard_of(numcodecs.Zstd(level=1).encode(np.zeros(CHUNK // 2, np.uint8)))),
    ),
    ("chunks without compression", f"{SHARD}", _shard(lambda forge: shard_of(bytes(CHUNK)))),
    (
        "a pickle for a shard",
        f"{SHARD}",
        _shard(lambda forge: shard_of(b"cos\nsystem\n(S'touch /tmp/pickled'\ntR.")),
    ),
]
for _name, _message, _make in _SHARDS:
    _add(_name, "read", _message, _make)


@_hostile("read", "does not match store.json")
def two_shards_swapped(forge: Forge) -> None:
    one, two = forge.folder / SHARD, forge.folder / SHARD.replace("c/0", "c/1")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


@_hostile("read", "does not match store.json|wrong content")
def a_bit_of_a_shard_flipped(forge: Forge) -> None:
    data = bytearray((forge.folder / SHARD).read_bytes())
    data[500] ^= 4
    (forge.folder / SHARD).write_bytes(data)
