"""One file for a store: the same bytes for the same store, and nothing else is unpacked."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from featurestore.format.layout import STORE_JSON
from featurestore.read.fetch import fetch
from featurestore.sharing.pack import pack
from featurestore.sharing.unpack import unpack
from featurestore.store import FeatureStore
from schemas.errors import SerError, StoreDamagedError, UsageError
from tests.featurestore.sharing.conftest import digest_of, files_of

SHARD = "demo/mel/c/0/1/0/0"


@pytest.fixture(scope="module")
def packed(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny store in a file. Shared: do not change it."""
    file = tmp_path_factory.mktemp("packed") / "tiny.tar"
    pack(tiny_store, file)
    return file


def test_a_pack_is_a_plain_tar_that_others_open(packed: Path, tiny_store: Path, tmp_path: Path) -> None:
    with tarfile.open(packed, "r:") as archive:
        members = archive.getmembers()
        archive.extractall(tmp_path / "by-tar", filter="data")
    assert files_of(tmp_path / "by-tar") == files_of(tiny_store)
    names = [member.name for member in members]
    assert names == [STORE_JSON, *sorted(names[1:])]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode, m.type) for m in members} == {
        (0, 0, 0, "", "", 0o644, tarfile.REGTYPE)
    }


def test_equal_stores_make_equal_files(packed: Path, tiny_store: Path, tmp_path: Path) -> None:
    unpack(packed, tmp_path / "unpacked.zarr")
    assert files_of(tmp_path / "unpacked.zarr") == files_of(tiny_store)
    pack(tmp_path / "unpacked.zarr", tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == packed.read_bytes()


def test_a_damaged_store_is_not_packed(own_store: Path, tmp_path: Path) -> None:
    data = bytearray((own_store / SHARD).read_bytes())
    data[7] ^= 1
    (own_store / SHARD).write_bytes(data)
    with pytest.raises(StoreDamagedError, match=f"{SHARD} in .* so nothing was packed"):
        pack(own_store, tmp_path / "out.tar")
    assert list(tmp_path.glob("out*")) == []


def test_a_file_that_is_there_is_not_written_over(tiny_store: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tar").write_text("x")
    with pytest.raises(UsageError, match="already exists"):
        pack(tiny_store, tmp_path / "thesis.tar")
    assert (tmp_path / "thesis.tar").read_text() == "x"


def test_an_interrupted_unpack_goes_on(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    calls = []
    original = fetch

    def failing(*arguments: object) -> int:
        calls.append(arguments)
        if len(calls) > 12:
            raise OSError(28, "No space left on device")
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("featurestore.sharing.bring.fetch", failing)
    out = tmp_path / "out.zarr"
    with pytest.raises(OSError, match="the disk is full"):
        unpack(packed, out)
    assert not (out / STORE_JSON).exists()
    monkeypatch.undo()
    report = unpack(packed, out)
    assert report.bytes_kept > 0
    assert report.digest == digest_of(out)


def _members(packed: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(packed, "r:") as archive:
        return [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def _written(
    members: list[tuple[tarfile.TarInfo, bytes]], file: Path, kind: int = tarfile.USTAR_FORMAT
) -> None:
    with tarfile.open(file, "w:", format=kind) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data) if member.isreg() else None)


Members = list[tuple[tarfile.TarInfo, bytes]]


def _named(name: str, data: bytes = b"evil", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def _add(*entry: tuple[tarfile.TarInfo, bytes]) -> Callable[[Members], Members]:
    return lambda members: [*members, *entry]


def _swap(name: str, entry: tuple[tarfile.TarInfo, bytes]) -> Callable[[Members], Members]:
    return lambda members: [entry if member.name == name else (member, data) for member, data in members]


def _with_pax(members: Members) -> Members:
    members[3][0].pax_headers = {"comment": "x" * 10_000}
    return members


HOSTILE: dict[str, tuple[Callable[[Members], Members], str]] = {
    "absolute name": (_add(_named("/etc/evil")), "contains '/etc/evil', which"),
    "name that leads out": (_add(_named("../evil")), "contains '../evil', which"),
    "name within that leads out": (_add(_named("demo/../../evil")), "which its store.json does not list"),
    "one more file": (_add(_named("demo/evil.py")), "which its store.json does not list"),
    "symbolic link": (
        _swap(SHARD, _named(SHARD, b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "not a regular file",
    ),
    "hard link": (
        _swap(SHARD, _named(SHARD, b"", type=tarfile.LNKTYPE, linkname=STORE_JSON)),
        "not a regular file",
    ),
    "device": (_swap(SHARD, _named(SHARD, b"", type=tarfile.CHRTYPE)), "not a regular file"),
    "pipe": (_swap(SHARD, _named(SHARD, b"", type=tarfile.FIFOTYPE)), "not a regular file"),
    "folder": (_add(_named("demo", b"", type=tarfile.DIRTYPE)), "not a regular file|does not list"),
    "twice": (lambda members: [*members, members[4]], "twice"),
    "store.json twice": (lambda members: [*members, members[0]], "does not list"),
    "other size": (_swap(SHARD, _named(SHARD, b"short")), r"has 5 bytes for demo/mel/c/0/1/0/0"),
    "one less": (lambda members: members[:-1], "lacks zarr.json"),
    "store.json not first": (lambda members: [*members[1:], members[0]], "first member is not store.json"),
    "extended header": (_with_pax, "not a regular file|does not list"),
    "nothing": (lambda members: [], "not a packed store"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_anything_else_is_refused_before_anything_is_written(
    attack: str, packed: Path, tmp_path: Path
) -> None:
    change, sentence = HOSTILE[attack]
    kind = tarfile.PAX_FORMAT if attack == "extended header" else tarfile.USTAR_FORMAT
    _written(change(_members(packed)), tmp_path / "evil.tar", kind)
    _refused(tmp_path, sentence)


def _refused(tmp_path: Path, sentence: str) -> None:
    with pytest.raises(SerError, match=sentence) as caught:
        unpack(tmp_path / "evil.tar", tmp_path / "deep" / "out.zarr")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar"]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: data[: len(data) // 2], "cut off"),
        (lambda data: data[:700], "cut off"),
        (lambda data: data[:100], "too short"),
        (lambda data: data + b"\0" * 20_000, "has data after its end"),
        (lambda data: data + b"more", "has data after its end"),
        (lambda data: data[:-512] + b"x" * 512, "has data after its end"),
        (lambda data: b"PK\3\4" + data[4:], "not a packed store"),
        (lambda data: data[:124] + b"77777777777\0" + data[136:], "not a packed store"),
    ],
)
def test_a_file_that_is_no_tar_of_ours_is_refused(
    damage: Callable[[bytes], bytes], sentence: str, packed: Path, tmp_path: Path
) -> None:
    (tmp_path / "evil.tar").write_bytes(damage(packed.read_bytes()))
    _refused(tmp_path, sentence)


def test_a_declared_size_allocates_nothing(packed: Path, tmp_path: Path) -> None:
    """Eight gibibytes in the first header, of a file of a few bytes."""
    info = tarfile.TarInfo(STORE_JSON)
    info.size = 2**33 - 1
    (tmp_path / "evil.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + b"{}" + bytes(2048))
    _refused(tmp_path, "first member is not store.json")


def test_wrong_bytes_never_get_their_name(packed: Path, tmp_path: Path) -> None:
    members = [
        (member, data[:50] + bytes([data[50] ^ 1]) + data[51:] if member.name == SHARD else data)
        for member, data in _members(packed)
    ]
    _written(members, tmp_path / "evil.tar")
    with pytest.raises(StoreDamagedError, match=SHARD):
        unpack(tmp_path / "evil.tar", tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr" / SHARD).exists()
    assert not (tmp_path / "out.zarr" / STORE_JSON).exists()


def test_a_pack_is_no_pipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a regular file"):
        unpack("/dev/null", tmp_path / "out.zarr")
    with pytest.raises(UsageError, match="does not exist"):
        unpack(tmp_path / "nothing.tar", tmp_path / "out.zarr")


def test_an_unpacked_store_is_whole_on_its_own(packed: Path, tiny_store: Path, tmp_path: Path) -> None:
    unpack(shutil.copy(packed, tmp_path / "moved.tar"), tmp_path / "out.zarr")
    (tmp_path / "moved.tar").unlink()
    assert (
        FeatureStore.open(tmp_path / "out.zarr").read([3])["rms"].tobytes()
        == FeatureStore.open(tiny_store).read([3])["rms"].tobytes()
    )
