"""A good store turned into a hostile one whose hashes all fit, as its maker would."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.format.seal import seal, unseal
from tests.hostile.parquet import write

RLE_BLOCK = 128 * 1024


class Forge:
    """The folder of a store, and ``document``: its ``store.json``, to be changed and sealed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document: dict[str, Any] = json.loads(unseal((folder / "store.json").read_bytes())[0])

    @property
    def entry(self) -> dict[str, Any]:
        """The one corpus's entry in ``datasets``."""
        return next(iter(self.document["datasets"].values()))

    def table(self, name: str) -> pa.Table:
        return pq.read_table(self.folder / name)

    def put(self, name: str, data: bytes) -> None:
        """Give an object other bytes, and ``store.json`` and the unit's record their hash."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._enter(self.document["objects"], name, data)

    def put_table(self, name: str, table: pa.Table, **options: Any) -> None:
        self.put(name, write(table, **options))

    def put_json(self, name: str, value: Any) -> None:
        text = json.dumps(value, indent=1)
        unit_record = name.startswith("records/") and not name.endswith("corpus.json")
        self.put(name, seal(text) if unit_record else text.encode())

    def edit_json(self, name: str, change: Callable[[Any], Any]) -> None:
        value = json.loads(unseal((self.folder / name).read_bytes())[0])
        self.put_json(name, change(value) or value)

    def rename_corpus(self, name: str) -> None:
        """Let the corpus be called otherwise in ``store.json``, its objects too, without moving files."""
        ((old, entry),) = self.document["datasets"].items()
        self.document["datasets"] = {name: entry}
        renamed = {
            "/".join(name if part == old else part for part in key.split("/")): value
            for key, value in self.document["objects"].items()
        }
        self.document["objects"] = renamed
        self.seal()

    def seal(self) -> None:
        """Hash the unit records anew, and write ``store.json`` with the digest that its content asks for."""
        objects = self.document["objects"]
        for path in sorted((self.folder / "records").glob("*/[0-9]*.json")):
            try:
                record = json.loads(unseal(path.read_bytes())[0])
                held = record["objects"]
            except (ValueError, KeyError, TypeError):
                continue
            if any(objects.get(name, entry) != entry for name, entry in held.items()):
                held.update({name: objects[name] for name in held if name in objects})
                path.write_bytes(seal(json.dumps(record, indent=1)))
                self._enter(objects, path.relative_to(self.folder).as_posix(), path.read_bytes())
        self.document["objects"] = dict(sorted(objects.items()))
        spec = _canonical(self.document["spec"])
        self.document["spec_digest"] = "sha256:" + hashlib.sha256(spec).hexdigest()
        parts = ("format_version", "feature_version", "spec", "datasets", "objects")
        content = _canonical({part: self.document[part] for part in parts})
        self.document["digest"] = "sha256:" + hashlib.sha256(content).hexdigest()
        text = json.dumps(self.document, indent=1, ensure_ascii=False)
        try:
            self.write_text(seal(text).decode())
        except UnicodeEncodeError:  # halves of surrogate pairs, which have no bytes to be hashed
            self.write_text(text)

    def write_text(self, text: str) -> None:
        (self.folder / "store.json").write_bytes(text.encode("utf-8", "surrogatepass"))

    @staticmethod
    def _enter(objects: dict[str, Any], name: str, data: bytes) -> None:
        objects[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def forged(good: Path, target: Path) -> Forge:
    """A copy of a good store to be changed."""
    shutil.copytree(good, target)
    return Forge(target)


def zstd_frame(size: int, announced: int | None = None) -> bytes:
    """A zstd frame of ``size`` zeros, 4 bytes for each 128 KiB, that announces ``announced`` of them."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0xC0, (17 - 10) << 3])
    head += struct.pack("<Q", size if announced is None else announced)
    count = size // RLE_BLOCK
    blocks = [
        (RLE_BLOCK << 3 | 2 | (index == count - 1)).to_bytes(3, "little") + b"\0" for index in range(count)
    ]
    return head + b"".join(blocks)


def shard_of(frame: bytes, chunks: int = 8) -> bytes:
    """A shard every chunk of which is the same ``frame``."""
    from google_crc32c import value as crc32c

    index = struct.pack("<QQ", 0, len(frame)) * chunks
    return frame + index + struct.pack("<I", crc32c(index))


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
