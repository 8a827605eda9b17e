"""What the commands print."""

from pathlib import Path

from rich.console import Console, RenderableType

from featurestore.cli.text.sharing import (
    pack_text,
    published_json,
    published_text,
    pull_text,
    push_text,
    report_json,
    unpack_text,
)
from featurestore.sharing.listing import list_versions
from featurestore.sharing.pack import pack
from featurestore.sharing.pull import pull
from featurestore.sharing.push import push
from featurestore.sharing.selection import PartSelection
from featurestore.sharing.unpack import unpack
from tests.featurestore.sharing.conftest import digest_of, size_of


def _text(renderable: RenderableType) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable, soft_wrap=True)
    return capture.get()


def test_people_are_told_what_moved_and_what_to_do_next(tiny_store: Path, tmp_path: Path) -> None:
    digest, url = digest_of(tiny_store), str(tmp_path / "shared")
    megabytes = f"{size_of(tiny_store) / 1e6:,.1f} MB"
    text = _text(push_text(push(tiny_store, url)))
    assert f"version {digest[7:23]} is the latest" in text
    assert f"sent {megabytes} in" in text
    assert f"ser-features pull {url} STORE" in text
    assert f"nothing to send, {megabytes} already there" in _text(push_text(push(tiny_store, url)))
    text = _text(pull_text(pull(url, tmp_path / "part.zarr", PartSelection(features=("rms",)))))
    assert f"part of {digest}" in text
    assert "nothing to do, kept" in _text(
        pull_text(pull(url, tmp_path / "part.zarr", PartSelection(features=("rms",))))
    )
    text = _text(pack_text(pack(tiny_store, tmp_path / "x.tar")))
    assert digest in text
    assert "part of" not in text
    text = _text(unpack_text(unpack(tmp_path / "x.tar", tmp_path / "x.zarr")))
    assert f"unpacked {megabytes} in" in text


def test_versions_are_listed_newest_first(tiny_store: Path, grown_store: Path, tmp_path: Path) -> None:
    for store in (tiny_store, grown_store):
        push(store, tmp_path / "shared")
    found = list_versions(tmp_path / "shared")
    assert found is not None
    lines = [line for line in _text(published_text(found)).splitlines() if "mel, rms" in line]
    assert [line.split()[:2] for line in lines] == [
        [digest_of(grown_store)[7:23], "679"],
        [digest_of(tiny_store)[7:23], "672"],
    ]
    assert ["latest" in line for line in lines] == [True, False]
    told = published_json(found)
    assert told["latest"] == digest_of(grown_store)[7:23]
    assert [version["clips"] for version in told["versions"]] == [672, 679]


def test_machines_get_every_field(tiny_store: Path, tmp_path: Path) -> None:
    told = report_json(push(tiny_store, tmp_path / "shared"))
    assert told["bytes_sent"] > size_of(tiny_store)
    assert told["digest"] == digest_of(tiny_store)
    assert {"bytes_reused", "bytes_there", "versions", "seconds", "version", "url"} <= told.keys()
