"""Hostile stores pulled, hostile files unpacked: refused, or brought as they are and refused when read."""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.forge import Forge, forged
from tests.hostile.probe import TARGET, Probe
from tests.hostile.stores import HOSTILE, Hostile


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
@pytest.mark.slow(seconds=0.2)  # a hundred and forty of them
def test_pulling_brings_nothing_that_can_be_opened(
    hostile: Hostile, tiny_store: Path, tmp_path: Path, probe: Probe
) -> None:
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    hostile.make(forge)
    before = _listing(tmp_path)
    outcome = probe("pull", forge.folder)
    _require_harmless(outcome)
    assert _listing(tmp_path, but="target") == before
    if hostile.at == "open":
        assert outcome.reported, outcome
    if outcome.reported:
        assert not (tmp_path / TARGET / "store.json").exists()
    elif hostile.travels:  # only bytes were moved: what is in them is for the reader to refuse
        assert probe("read", tmp_path / TARGET).reported


@pytest.mark.parametrize(
    "hostile", [hostile for hostile in HOSTILE if hostile.travels], ids=lambda hostile: hostile.name
)
def test_unpacking_brings_nothing_that_can_be_opened(
    hostile: Hostile, tiny_store: Path, tmp_path: Path, probe: Probe
) -> None:
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    hostile.make(forge)
    if (forge.folder / "store.json").stat().st_size > 2**30:
        pytest.skip("too large to be packed here")
    file = packed(forge.folder, tmp_path / "hostile.tar")
    before = _listing(tmp_path)
    outcome = probe("unpack", file)
    _require_harmless(outcome)
    assert _listing(tmp_path, but="target") == before
    if hostile.at == "open":
        assert outcome.reported, outcome
    if outcome.reported:
        assert not (tmp_path / TARGET / "store.json").exists()
    else:
        assert probe("read", tmp_path / TARGET).reported


@dataclass
class Tape:
    """A tar that is written member by member: ``store.json`` first, then the objects by name."""

    folder: Path
    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = sorted(path.relative_to(self.folder).as_posix() for path in _files(self.folder))
        for name in ["store.json", *(name for name in names if name != "store.json")]:
            self.add(name, (self.folder / name).read_bytes())

    def add(self, name: str, data: bytes = b"", at: int | None = None, **fields: Any) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for key, value in fields.items():
            setattr(info, key, value)
        self.members.insert(len(self.members) if at is None else at, (info, data))

    def change(self, name: str, **fields: Any) -> None:
        for info, _ in self.members:
            if info.name == name:
                for key, value in fields.items():
                    setattr(info, key, value)

    def data(self, format: int = tarfile.USTAR_FORMAT) -> bytes:  # noqa: A002 tarfile's own word
        out = io.BytesIO()
        for info, data in self.members:
            out.write(info.tobuf(format=format, errors="surrogateescape"))
            out.write(data + bytes(-len(data) % 512))
        return out.getvalue() + bytes(1024)


def packed(folder: Path, file: Path) -> Path:
    """The files of a folder as a tar, as an attacker would pack them."""
    file.write_bytes(Tape(folder).data())
    return file


MANIFEST = "manifest.parquet"
TAPES: dict[str, Callable[[Tape], bytes]] = {}


def _tape(make: Callable[[Tape], Any]) -> Callable[[Tape], Any]:
    TAPES[make.__name__] = lambda tape: made if isinstance(made := make(tape), bytes) else tape.data()
    return make


for _name in (
    "../outside",
    "/tmp/ser-outside",
    "..",
    "a/../../outside",
    ".ssh/authorized_keys",
    "demo\\x",
    "x" * 90,
):
    TAPES[f"a member named {_name[:20]}"] = lambda tape, name=_name: (tape.add(name, b"x"), tape.data())[1]
for _name, _type in (
    ("a link", tarfile.SYMTYPE),
    ("a hard link", tarfile.LNKTYPE),
    ("a device", tarfile.CHRTYPE),
    ("a block device", tarfile.BLKTYPE),
    ("a pipe", tarfile.FIFOTYPE),
    ("a folder", tarfile.DIRTYPE),
    ("a sparse file", tarfile.GNUTYPE_SPARSE),
    ("of a kind that nobody knows", b"Z"),
):
    TAPES[f"the manifest {_name}"] = lambda tape, type_=_type: (
        tape.change(MANIFEST, type=type_, linkname="../../outside"),
        tape.data(),
    )[1]


@_tape
def a_folder_that_is_a_link(tape: Tape) -> None:
    tape.add("demo", at=1, type=tarfile.SYMTYPE, linkname="../..")


@_tape
def a_member_twice(tape: Tape) -> None:
    tape.add(MANIFEST, b"other")


@_tape
def store_json_twice(tape: Tape) -> None:
    tape.add("store.json", b"{}")


@_tape
def store_json_last(tape: Tape) -> None:
    tape.members.append(tape.members.pop(0))


@_tape
def no_store_json(tape: Tape) -> None:
    tape.members.pop(0)


@_tape
def nothing_in_it(tape: Tape) -> None:
    tape.members.clear()


@_tape
def an_object_missing(tape: Tape) -> None:
    tape.members.pop(5)


@_tape
def other_bytes_in_an_object(tape: Tape) -> None:
    info, data = tape.members[5]
    tape.members[5] = info, bytes(len(data))


@_tape
def an_object_of_another_size(tape: Tape) -> None:
    info, data = tape.members[5]
    info.size = len(data) + 1
    tape.members[5] = info, data + b"\0"


@_tape
def a_size_of_eight_gigabytes(tape: Tape) -> bytes:
    tape.change(MANIFEST, size=8**11 - 1)
    return tape.data()


@_tape
def a_size_of_two_to_the_eightieth(tape: Tape) -> bytes:
    tape.change(MANIFEST, size=2**80)
    return tape.data(tarfile.GNU_FORMAT)


@_tape
def a_store_json_of_a_gigabyte(tape: Tape) -> bytes:
    tape.change("store.json", size=2**30)
    return tape.data()


@_tape
def a_long_name_by_gnu(tape: Tape) -> bytes:
    tape.add("../" * 100 + "outside", b"x")
    return tape.data(tarfile.GNU_FORMAT)


@_tape
def a_path_by_pax(tape: Tape) -> bytes:
    tape.members[5][0].pax_headers = {"path": "../../outside", "size": "5"}
    return tape.data(tarfile.PAX_FORMAT)


@_tape
def cut_off(tape: Tape) -> bytes:
    data = tape.data()
    return data[: len(data) // 2]


@_tape
def a_checksum_that_is_wrong(tape: Tape) -> bytes:
    data = bytearray(tape.data())
    data[150] ^= 1
    return bytes(data)


@_tape
def data_behind_its_end(tape: Tape) -> bytes:
    return tape.data() + b"PK\3\4" + bytes(508)


@_tape
def under_gzip(tape: Tape) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(bytes(2**26)) + packer.flush()


@_tape
def a_zip(tape: Tape) -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../outside", b"x")
    return out.getvalue()


@_tape
def empty(tape: Tape) -> bytes:
    return b""


def test_a_good_store_is_unpacked_and_pulled(tiny_store: Path, tmp_path: Path, probe: Probe) -> None:
    forge = forged(tiny_store, tmp_path / "good" / "hostile.zarr")
    assert probe("unpack", packed(_objects_alone(forge), tmp_path / "good.tar")).kind == "nothing"
    assert probe("read", tmp_path / TARGET).kind == "nothing"
    assert probe("pull", forge.folder).kind == "nothing"
    assert probe("read", forge.folder.parent / TARGET).kind == "nothing"


@pytest.mark.parametrize("make", TAPES.values(), ids=TAPES.keys())
def test_a_hostile_file_is_refused(
    make: Callable[[Tape], bytes], tiny_store: Path, tmp_path: Path, probe: Probe
) -> None:
    folder = _objects_alone(forged(tiny_store, tmp_path / "hostile.zarr"))
    file = tmp_path / "hostile.tar"
    file.write_bytes(make(Tape(folder)))
    before = _listing(tmp_path)
    outcome = probe("unpack", file)
    assert outcome.reported, outcome
    _require_harmless(outcome)
    assert _listing(tmp_path, but="target") == before
    assert not (tmp_path / TARGET / "store.json").exists()
    assert not Path("/tmp/ser-outside").exists()
    assert not [path for path in (tmp_path / "target").rglob("*") if path.is_symlink() or path.is_fifo()]


def _objects_alone(forge: Forge) -> Path:
    """The folder without the files that are no objects: a packed store has none of them."""
    named = {"store.json", *json.loads((forge.folder / "store.json").read_text())["objects"]}
    for path in _files(forge.folder):
        if path.relative_to(forge.folder).as_posix() not in named:
            path.unlink()
    return forge.folder


def _require_harmless(outcome: Any) -> None:
    assert outcome.kind == "nothing" or outcome.reported, outcome
    assert "\n" not in outcome.message
    assert len(outcome.message) < 1200, outcome
    assert outcome.grown_mb < 200, outcome
    assert outcome.seconds < 20, outcome


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _listing(folder: Path, but: str = "") -> dict[str, int]:
    paths = {path.relative_to(folder): path.lstat() for path in sorted(folder.rglob("*"))}
    return {path.as_posix(): status.st_size for path, status in paths.items() if path.parts[0] != but}
