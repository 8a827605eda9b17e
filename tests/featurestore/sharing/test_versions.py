"""Several versions under one URL: each whole, only what is new is sent, nobody sees a mixture."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from featurestore.format.layout import LATEST, STORE_JSON
from featurestore.places.folder import Folder
from featurestore.places.remote import Remote
from featurestore.sharing.listing import list_versions
from featurestore.sharing.pull import pull
from featurestore.sharing.push import push
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import StoreDamagedError, UsageError
from tests.featurestore.sharing.conftest import digest_of, files_of, size_of
from tests.servers.proxy import Proxy
from tests.servers.s3 import new_bucket


@pytest.fixture
def new_bytes(tiny_store: Path, grown_store: Path) -> int:
    """Bytes of the grown store's objects that the tiny store has not."""
    old = set(FeatureStore.open(tiny_store).document.objects.values())
    document = FeatureStore.open(grown_store).document
    return sum(entry.bytes for entry in document.objects.values() if entry not in old)


def test_only_what_is_new_crosses_the_network(
    s3_proxy: Proxy, tiny_store: Path, grown_store: Path, new_bytes: int
) -> None:
    """Counted by the server, not by us."""
    url = f"s3://{new_bucket(s3_proxy.upstream)}/shared"
    push(tiny_store, url)
    s3_proxy.forget()
    report = push(grown_store, url)
    assert report.bytes_reused == size_of(grown_store) - new_bytes > 2_000_000
    assert new_bytes <= report.bytes_sent < new_bytes + 20_000
    assert s3_proxy.sent() < 1.3 * report.bytes_sent + 20_000
    assert verify(url, full=True).ok


def test_every_kind_of_place_reuses(url: str, tiny_store: Path, grown_store: Path, new_bytes: int) -> None:
    push(tiny_store, url)
    report = push(grown_store, url)
    assert report.bytes_reused == size_of(grown_store) - new_bytes
    assert verify(url, full=True).digest == digest_of(grown_store)
    assert verify(f"{url}@{digest_of(tiny_store)[7:15]}", full=True).ok


def test_a_folder_stores_equal_objects_once(tiny_store: Path, grown_store: Path, tmp_path: Path) -> None:
    for store in (tiny_store, grown_store):
        push(store, tmp_path / "shared")
    shards = list((tmp_path / "shared").glob("versions/*/demo/mel/c/0/1/0/0"))
    assert len(shards) == 2
    assert shards[0].samefile(shards[1])


def test_older_versions_stay_and_the_newest_push_opens(
    url: str, tiny_store: Path, grown_store: Path, tmp_path: Path
) -> None:
    push(tiny_store, url)
    push(grown_store, url)
    old, new = digest_of(tiny_store), digest_of(grown_store)
    assert digest_of(url) == new
    assert digest_of(f"{url}@{old[7:12]}") == old
    pull(f"{url}@{old[7:23]}", tmp_path / "old.zarr")
    assert files_of(tmp_path / "old.zarr") == files_of(tiny_store)
    push(tiny_store, url)
    assert digest_of(url) == old
    found = list_versions(url)
    assert found is not None
    assert [version.digest for version in found.versions] == [old, new]
    assert found.latest == old[7:23]
    assert list_versions(f"{url}@{old[7:23]}") is None


def test_a_reader_goes_on_with_the_version_that_it_opened(
    url: str, tiny_store: Path, grown_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    push(tiny_store, url)
    reader = FeatureStore.open(url)
    push(grown_store, url)
    truth = FeatureStore.open(tiny_store)
    assert reader.digest == truth.digest
    assert np.array_equal(reader.read([0, 671])["mel"], truth.read([0, 671])["mel"])
    assert len(reader.manifest) == 672


def test_a_pull_follows_the_newest_version_and_back(
    url: str, tiny_store: Path, grown_store: Path, tmp_path: Path
) -> None:
    """Equal objects stay, what the other version had more is gone."""
    push(tiny_store, url)
    target = tmp_path / "pulled.zarr"
    pull(url, target)
    push(grown_store, url)
    old = FeatureStore.open(tiny_store).document.objects
    new = FeatureStore.open(grown_store).document.objects
    changed = sum(entry.bytes for name, entry in new.items() if old.get(name) != entry)
    assert pull(url, target).bytes_fetched == changed < 0.1 * size_of(grown_store)
    assert files_of(target) == files_of(grown_store)
    pull(f"{url}@{digest_of(tiny_store)[7:23]}", target)
    assert files_of(target) == files_of(tiny_store)


class _Slow:
    """Lets a reader look at the place after each object that is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type, look: object) -> None:
        original = kind.write  # type: ignore[attr-defined]

        def write(place: object, name: str, data: bytes) -> None:
            original(place, name, data)
            look()  # type: ignore[operator]

        monkeypatch.setattr(kind, "write", write)


def test_during_a_push_readers_see_the_old_version_alone(
    s3_url: str, tiny_store: Path, grown_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(tiny_store, s3_url)
    seen: list[str] = []
    lock = threading.Lock()

    def look() -> None:
        with lock:
            seen.append(digest_of(s3_url))

    _Slow(monkeypatch, Remote, look)
    push(grown_store, s3_url)
    old, new = digest_of(tiny_store), digest_of(grown_store)
    assert len(seen) > 5
    assert seen.index(new) >= len(seen) - 3  # latest.json, then the lease that is given back
    assert set(seen[: seen.index(new)]) == {old}


def test_two_pushes_at_once_lose_neither_version(url: str, tiny_store: Path, grown_store: Path) -> None:
    errors: list[BaseException] = []

    def run(store: Path) -> None:
        try:
            push(store, url)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run, args=(store,)) for store in (tiny_store, grown_store)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    digests = {digest_of(tiny_store), digest_of(grown_store)}
    found = list_versions(url)
    assert found is not None
    assert {version.digest for version in found.versions} == digests
    assert digest_of(url) in digests
    for digest in digests:
        assert verify(f"{url}@{digest[7:23]}", full=True).ok


def test_objects_of_an_interrupted_push_are_not_sent_again(
    url: str, tiny_store: Path, tmp_path: Path
) -> None:
    push(tiny_store, url)
    version = digest_of(tiny_store)[7:23]
    place = Folder(Path(url)) if "://" not in url else Remote(url)
    gone = ["demo/mel/c/0/0/0/0", "demo/mel/c/1/2/0/0"]
    place.delete(
        [LATEST, f"versions/{version}/{STORE_JSON}", *(f"versions/{version}/{name}" for name in gone)]
    )
    report = push(tiny_store, url)
    lost = sum((tiny_store / name).stat().st_size for name in gone)
    assert report.bytes_sent == lost + (tiny_store / STORE_JSON).stat().st_size
    assert report.bytes_there == size_of(tiny_store) - lost
    assert verify(url, full=True).ok


def test_what_a_killed_push_has_left_is_swept(url: str, tiny_store: Path) -> None:
    version = digest_of(tiny_store)[7:23]
    place = Folder(Path(url)) if "://" not in url else Remote(url)
    place.write(f"versions/{version}/demo/mel/c/0/0/0/0.0123456789abcdef.partial", b"half")
    push(tiny_store, url)
    found = place.sizes(f"versions/{version}")
    assert len(found) == len(FeatureStore.open(tiny_store).document.objects) + 1


def test_a_damaged_object_of_a_shared_folder_is_neither_kept_nor_linked(
    tiny_store: Path, grown_store: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    push(tiny_store, shared)
    shard = next(shared.glob("versions/*/demo/mel/c/0/0/0/0"))
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    push(grown_store, shared)
    assert verify(shared, full=True).ok
    assert not verify(f"{shared}@{digest_of(tiny_store)[7:23]}", full=True).ok
    push(tiny_store, shared)
    assert verify(shared, full=True).ok


@pytest.mark.parametrize("holds", ["store", "other", "file"])
def test_a_place_that_holds_something_else_is_refused(holds: str, tiny_store: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    match holds:
        case "store":
            shutil.copytree(tiny_store, place)
            sentence = "is itself a store"
        case "other":
            place.mkdir()
            (place / "thesis.docx").write_text("x")
            sentence = r"contains other files \(thesis.docx"
        case _:
            place.write_text("x")
            sentence = "is a file"
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=sentence):
        push(tiny_store, place)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_version_is_the_store_that_its_name_says(
    tiny_store: Path, grown_store: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    folder = shared / "versions" / push(tiny_store, shared).version
    shutil.rmtree(folder)
    shutil.copytree(grown_store, folder)
    with pytest.raises(StoreDamagedError, match="holds a store with another digest"):
        FeatureStore.open(shared)


@pytest.mark.parametrize("name", ["\x1b[2Jmel", "m" * 1000, "", "../mel"])
def test_a_list_from_a_stranger_holds_names_alone(name: str, tiny_store: Path, tmp_path: Path) -> None:
    push(tiny_store, tmp_path / "shared")
    listed = json.loads((tmp_path / "shared" / LATEST).read_text())
    listed["versions"][0]["features"] = [name]
    (tmp_path / "shared" / LATEST).write_text(json.dumps(listed))
    with pytest.raises(StoreDamagedError, match=r"latest\.json is damaged"):
        list_versions(tmp_path / "shared")


def test_a_version_cannot_be_pushed_to(tiny_store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be changed; push to the address without @0123abcd"):
        push(tiny_store, f"{tmp_path}/place@0123abcd")
