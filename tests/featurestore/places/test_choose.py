"""Which place a path or a URL names."""

from pathlib import Path

import pytest

from featurestore.places.choose import is_url, place_at
from featurestore.places.folder import Folder
from featurestore.places.remote import Remote
from schemas.errors import StorageError


@pytest.mark.parametrize(
    "where",
    ["store.zarr", "/a/b", "./s3", "a:b", "a::b/c", "./s3:/b", "features@0123456789abcdef", "~/x"],
)
def test_paths_are_folders(where: str) -> None:
    if where == "a::b/c":
        where = "./" + where
    assert not is_url(where)
    place = place_at(where)
    assert isinstance(place, Folder)
    assert place.path == Path(where)


@pytest.mark.parametrize(
    ("where", "meant"),
    [("", "is empty"), ("s3:/bucket", "s3://bucket"), ("https:/a.org/b", "https://a.org/b")],
)
def test_what_is_meant_as_a_place_and_is_none_is_refused(where: str, meant: str) -> None:
    with pytest.raises(StorageError, match=meant):
        place_at(where)


def test_a_path_object_is_a_folder_whatever_it_is_called(tmp_path: Path) -> None:
    place = place_at(tmp_path / "http:")
    assert isinstance(place, Folder)
    assert place.path == tmp_path / "http:"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///a/b", "/a/b"),
        ("file://localhost/a", "/a"),
        ("local:///a", "/a"),
        ("FILE:///a%20b", "/a b"),
        ("file:///a/b/", "/a/b"),
    ],
)
def test_file_urls_are_folders(url: str, path: str) -> None:
    place = place_at(url)
    assert isinstance(place, Folder)
    assert place.path == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/a",
        "https://host/a",
        "http://host:80/a",
        "sftp://host/a",
        "memory://a",
        "hf://datasets/x/y",
    ],
)
def test_urls_are_remote(url: str) -> None:
    assert is_url(url)
    place = place_at(url + "/")
    assert isinstance(place, Remote)
    assert str(place) == url


@pytest.mark.parametrize(
    "url",
    [
        "zip::s3://bucket/a.zip",
        "simplecache::https://host/a",
        "filecache::s3://bucket/a",
        "zip://store.zarr::https://host/a.zip",
        "simplecache://x",
        "tar://a",
        "reference://",
        "blockcache::file:///a",
    ],
)
def test_a_place_inside_a_place_is_refused(url: str) -> None:
    with pytest.raises(StorageError, match=r"wraps another URL in .*; give the URL or path itself"):
        place_at(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nosuch://a/b", "fsspec does not support nosuch://"),
        ("file://host/a", "another host"),
        ("https://host/a?x=1", "a query or a fragment"),
        ("https://host/a#x", "a query or a fragment"),
        ("https://host:port/a", "is not a valid URL"),
        ("https://[::1/a", "is not a valid URL|wraps another"),
    ],
)
def test_what_is_no_place_is_refused_in_a_sentence(url: str, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        place_at(url)
