"""What a pull may write over, and what it leaves alone."""

import os
import shutil
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from featurestore.format.layout import MANIFEST, ROOT_METADATA, STORE_JSON
from featurestore.places.names import LOCK
from featurestore.read.fetch import fetch
from featurestore.sharing.pull import pull
from featurestore.sharing.push import push
from featurestore.sharing.target import MARK
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import (
    StorageError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnfinishedError,
    UsageError,
)
from tests.featurestore.sharing.conftest import files_of, size_of
from tests.tiny_store import Builder


def _snapshot(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    )


@pytest.mark.parametrize(
    "name", ["demo/mel/c/0/1/0/0", MANIFEST, "records/demo/00000.json", ROOT_METADATA, STORE_JSON]
)
@pytest.mark.parametrize("damage", ["flip", "cut", "lost"])
def test_a_damaged_copy_is_repaired(damage: str, name: str, tiny_store: Path, own_store: Path) -> None:
    path = own_store / name
    data = bytearray(path.read_bytes())
    match damage:
        case "flip":
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case _:
            path.unlink()
    report = pull(tiny_store, own_store)
    assert report.bytes_fetched == (0 if name == STORE_JSON else len(data))
    assert files_of(own_store) == files_of(tiny_store)


def test_a_store_stays_readable_while_it_is_repaired(
    tiny_store: Path, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_store / "demo/mel/c/0/1/0/0").unlink()
    original, digests = fetch, []

    def looking(*arguments: object) -> int:
        digests.append(FeatureStore.open(own_store).digest)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("featurestore.sharing.bring.fetch", looking)
    pull(tiny_store, own_store)
    assert digests == [FeatureStore.open(tiny_store).digest]


def test_while_one_version_becomes_another_nobody_reads(
    tiny_store: Path, grown_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(tiny_store, tmp_path / "shared")
    pull(tmp_path / "shared", tmp_path / "copy.zarr")
    push(grown_store, tmp_path / "shared")
    original, refused = fetch, []

    def looking(*arguments: object) -> int:
        with pytest.raises(StoreUnfinishedError) as caught:
            FeatureStore.open(tmp_path / "copy.zarr")
        refused.append(caught.value)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("featurestore.sharing.bring.fetch", looking)
    pull(tmp_path / "shared", tmp_path / "copy.zarr")
    assert refused
    assert not (tmp_path / "copy.zarr" / MARK).exists()


@pytest.mark.parametrize(
    "holds", ["other", "file", "stranger", "published", "unfinished build", "linked folder"]
)
def test_anything_else_is_left_alone(holds: str, tiny_store: Path, grown_store: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    match holds:
        case "other":
            place.mkdir()
            (place / "thesis.docx").write_text("x")
            sentence = r"contains other files \(thesis.docx"
        case "file":
            place.write_text("x")
            sentence = "is not a folder"
        case "stranger":
            shutil.copytree(grown_store, place)
            sentence = "contains another store"
        case "published":
            push(grown_store, place)
            sentence = "published versions"
        case "unfinished build":
            shutil.copytree(grown_store, place)
            (place / STORE_JSON).unlink()
            sentence = "contains other files"
        case _:
            (tmp_path / "elsewhere").mkdir()
            place.mkdir()
            (place / "demo").symlink_to(tmp_path / "elsewhere")
            sentence = "is a link to another folder"
    before = _snapshot(tmp_path)
    with pytest.raises((UsageError, StoreDamagedError), match=sentence) as caught:
        pull(tiny_store, place)
    assert "\n" not in str(caught.value)
    assert _snapshot(tmp_path) == before


def test_a_url_is_no_target(tiny_store: Path) -> None:
    with pytest.raises(UsageError, match="not memory://x; give a path"):
        pull(tiny_store, "memory://x")


def test_too_little_space_is_told_before_anything_is_written(
    tiny_store: Path, own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_500_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"needs 2\.5 MB, but its disk has 1\.5 MB free; free some"):
        pull(tiny_store, tmp_path / "copy.zarr")
    assert not list((tmp_path / "copy.zarr").glob("[!.]*"))
    shutil.rmtree(own_store / "demo/mel/c/0")
    pull(tiny_store, own_store)  # which needs less


def test_a_folder_that_is_being_built_is_busy(tiny_store: Path, own_store: Path) -> None:
    with FileLock(own_store / LOCK), pytest.raises(StoreBusyError, match="another process"):
        pull(tiny_store, own_store)


def test_a_store_that_was_built_on_is_not_thrown_away(
    tiny_store: Path, own_store: Path, tiny_build: Builder, small_demo: Path, tmp_path: Path
) -> None:
    push(tiny_store, tmp_path / "shared")
    folder = tmp_path / "mine" / "angry"
    folder.mkdir(parents=True)
    shutil.copy(next((small_demo / "demo").glob("f01/*angry*")), folder / "one.wav")
    tiny_build(own_store, tmp_path, f"mine={folder.parent}")
    with pytest.raises(UsageError, match="contains another store"):
        pull(tmp_path / "shared", own_store)
    assert len(FeatureStore.open(own_store).manifest) == 673


def test_a_pulled_store_is_built_on(
    tiny_store: Path, tiny_build: Builder, whole_demo: Path, tmp_path: Path
) -> None:
    pull(tiny_store, tmp_path / "copy.zarr")
    assert tiny_build(tmp_path / "copy.zarr", whole_demo).units_built == 0


def test_two_pulls_into_one_folder_do_not_mix(tiny_store: Path, tmp_path: Path) -> None:
    """One wins, the other is told, or finds all of it there."""
    out = tmp_path / "copy.zarr"
    errors: list[BaseException] = []

    def run() -> None:
        try:
            pull(tiny_store, out)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in errors] in ([], [StoreBusyError])
    assert verify(out, full=True).ok


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_sentence(tiny_store: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="permission denied"):
        pull(tiny_store, tmp_path / "copy.zarr")
    tmp_path.chmod(0o700)


def test_a_stray_of_the_store_before_is_swept(tiny_store: Path, own_store: Path) -> None:
    (own_store / "demo/mel/c/9/9/0").mkdir(parents=True)
    (own_store / "demo/mel/c/9/9/0/0").write_bytes(b"x")
    (own_store / "notes.txt").write_text("mine")
    pull(tiny_store, own_store)
    assert {*files_of(own_store)} - {*files_of(tiny_store)} == {"notes.txt"}
    assert size_of(own_store) == size_of(tiny_store)
