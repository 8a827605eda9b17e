"""What ``store.json`` declares: values that do not fit the arrays, or are out of bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.hostile.forge import Forge
from tests.hostile.stores.registry import SHARD, add, hostile


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
    add(_name, "open", _message, _make)


@hostile("open", "digest")
def a_digest_that_does_not_follow(forge: Forge) -> None:
    forge.document["digest"] = "sha256:" + "0" * 64
    forge.write_text(json.dumps(forge.document))


@hostile("open", "spec_digest|digest")
def a_spec_digest_that_does_not_follow(forge: Forge) -> None:
    forge.document["spec_digest"] = "sha256:" + "0" * 64
    forge.write_text(json.dumps(forge.document))
