"""Nothing of the machine or the person that built a store is in it, however an object is packed."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr

from featurestore.sharing.pack import pack
from featurestore.sharing.push import push
from tests.hostile.forge import Forge
from tests.tiny_store import Builder

SECRET = "q7-secret-of-the-environment-x91"


def private_words(folders: list[Path]) -> dict[str, bytes]:
    """What must not be found → its bytes: paths, names of host and user, values of the environment."""
    words = {
        "home": str(Path.home()),
        "working folder": str(Path.cwd()),
        "host": socket.gethostname(),
        "full host": socket.getfqdn(),
        "kernel": platform.release(),
        "user": getpass.getuser(),
        **{f"folder {index}": str(folder) for index, folder in enumerate(folders)},
    }
    for name, value in os.environ.items():
        for part in (value, *value.split(os.pathsep)):
            if not re.fullmatch(r"[A-Za-z]+|[\d.]+", part):  # a plain word or a version may stand anywhere
                words[f"${name}"] = part
    return {
        f"{what} {word}": word.encode()
        for what, word in words.items()
        if len(word) >= 6 and word.rstrip("/") not in {"", "localhost"}
    }


def texts(store: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it lies there, every table spelt out with its metadata, every array's attributes."""
    for path in sorted(store.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(store).as_posix()
        yield name, name.encode() + b"\n" + path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            metadata = pq.read_metadata(path)
            yield (
                f"{name}, metadata",
                repr((metadata.metadata, metadata.created_by, table.schema.metadata)).encode(),
            )
            for column in table.column_names:
                yield f"{name}, {column}", "\n".join(map(str, table[column].to_pylist())).encode()
    root = zarr.open_group(store, mode="r")
    for name, node in root.members(max_depth=None):
        yield f"attributes of {name}", repr(dict(node.attrs)).encode()
        if isinstance(node, zarr.Array) and node.ndim == 1:
            yield f"numbers of {name}", node[:].tobytes()


def found(store: Path, folders: list[Path]) -> list[str]:
    """Where a private word stands, as ``object: word``."""
    words = private_words(folders)
    return [
        f"{where}: {what}" for where, text in texts(store) for what, word in words.items() if word in text
    ]


@pytest.fixture
def made_here(
    small_demo: Path, tiny_build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[Path]]:
    """A store built with bad recordings, in folders and an environment with telling names."""
    monkeypatch.setenv("SER_TEST_SECRET", SECRET)
    corpora = tmp_path / "private-folder-of-corpora"
    shutil.copytree(small_demo, corpora)
    broken = sorted((corpora / "demo").rglob("*.wav"))[3]
    broken.write_bytes(broken.read_bytes()[:60])
    unreadable = sorted((corpora / "demo").rglob("*.wav"))[5]
    unreadable.unlink()
    unreadable.symlink_to(corpora / "nowhere-to-be-found.wav")
    (corpora / "demo" / "notes.txt").write_text("notes")
    out = tmp_path / "private-folder-of-stores" / "own.zarr"
    tiny_build(out, corpora)
    return out, [tmp_path, corpora, out.parent]


def test_a_built_store_tells_nothing(made_here: tuple[Path, list[Path]]) -> None:
    store, folders = made_here
    assert found(store, folders) == []


def test_a_pushed_and_a_packed_store_tell_nothing(made_here: tuple[Path, list[Path]], tmp_path: Path) -> None:
    store, folders = made_here
    published, file = tmp_path / "published", tmp_path / "packed" / "store.tar"
    file.parent.mkdir()
    push(store, published)
    pack(store, file)
    (version,) = (published / "versions").iterdir()
    assert found(version, folders) == []
    words = private_words(folders)
    for path in (published / "latest.json", file):
        data = path.read_bytes()
        assert [what for what, word in words.items() if word in data] == []


def test_the_search_finds_what_is_hidden_in_a_table_or_a_document(made_here: tuple[Path, list[Path]]) -> None:
    """Else the test above could not fail."""
    store, folders = made_here
    forge = Forge(store)
    table = forge.table("manifest.parquet")
    index = table.schema.get_field_index("problem")
    problems = pa.array([SECRET, *table["problem"].to_pylist()[1:]])
    forge.put_table("manifest.parquet", table.set_column(index, table.schema.field(index), problems))
    forge.edit_json(
        "records/demo/corpus.json", lambda record: record["notices"].append(str(folders[0] / "x"))
    )
    places = "\n".join(found(store, folders))
    assert "manifest.parquet, problem: $SER_TEST_SECRET" in places
    assert "records/demo/corpus.json: folder 0" in places


def test_a_lock_or_token_is_no_object(made_here: tuple[Path, list[Path]]) -> None:
    """They stay behind in the folder; what is shared is what ``store.json`` names."""
    store, _ = made_here
    named = json.loads((store / "store.json").read_text())["objects"]
    assert not [name for name in named if Path(name).name.startswith(".")]
