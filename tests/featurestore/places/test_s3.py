"""What is special to S3: requests by size, many deletions, conditional creation, keys that are no objects."""

import pytest

from featurestore.places.remote import Remote
from tests.servers.proxy import Proxy

MiB = 2**20


def test_an_object_is_sent_once_and_in_one_request(s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    s3_behind_proxy.write("object", bytes(3 * MiB))
    assert [method for method, _, _ in s3_proxy.requests] == ["PUT"]
    assert 3 * MiB <= s3_proxy.sent() < 3 * MiB + 10_000


def test_a_large_object_is_sent_in_parts(s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    data = bytes(range(256)) * (66 * MiB // 256)
    s3_behind_proxy.write("object", data)
    puts = [size for method, _, size in s3_proxy.requests if method == "PUT"]
    assert len(puts) == 3
    assert max(puts) < 33 * MiB
    assert s3_behind_proxy.read("object", len(data)) == data


def test_a_large_object_is_whole_or_absent(s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    s3_proxy.faults.extend([None, None, "403"])
    with pytest.raises(OSError, match="access is denied"):
        s3_behind_proxy.write("object", bytes(66 * MiB))
    s3_proxy.faults.clear()
    assert s3_behind_proxy.size("object") is None
    assert s3_behind_proxy.sizes() == {}


@pytest.mark.parametrize("threshold", [150 * MiB, 0], ids=["at-once", "in-parts"])
def test_a_copy_moves_no_bytes_through_this_machine(
    threshold: int, s3_behind_proxy: Remote, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3fs.core.MANAGED_COPY_THRESHOLD", threshold)
    data = bytes(range(256)) * 20_000
    s3_behind_proxy.write("versions/1/object", data)
    s3_proxy.forget()
    assert s3_behind_proxy.copy("versions/1/object", "versions/2/object")
    assert s3_proxy.sent() < 10_000
    assert "GET" not in {method for method, _, _ in s3_proxy.requests}
    assert s3_behind_proxy.read("versions/2/object", len(data)) == data


def test_deletions_are_sent_in_as_few_requests_as_s3_allows(
    s3_behind_proxy: Remote, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featurestore.places.remote._MOST_DELETIONS", 10)
    names = [f"part/{number:02d}" for number in range(23)]
    for name in names:
        s3_behind_proxy.write(name, b"x")
    s3_proxy.forget()
    s3_behind_proxy.delete(names[:-1])
    assert [method for method, _, _ in s3_proxy.requests] == ["POST"] * 3
    assert s3_behind_proxy.sizes() == {names[-1]: 1}


def test_a_key_that_ends_in_a_slash_is_no_object(s3_behind_proxy: Remote) -> None:
    import boto3

    bucket = s3_behind_proxy.url.split("/")[2]
    boto3.client("s3").put_object(Bucket=bucket, Key="stores/one/ravdess/")
    s3_behind_proxy.write("ravdess/mel", b"x")
    assert s3_behind_proxy.sizes() == {"ravdess/mel": 1}
    assert s3_behind_proxy.size("ravdess") is None


def test_neighbours_with_the_same_beginning_are_not_listed(s3_behind_proxy: Remote) -> None:
    Remote(f"{s3_behind_proxy.url}-two").write("object", b"x")
    assert s3_behind_proxy.sizes() == {}


def test_creation_is_refused_by_the_server(s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    assert s3_behind_proxy.create("object", b"first")
    s3_proxy.forget()
    assert not s3_behind_proxy.create("object", b"second")
    assert [method for method, _, _ in s3_proxy.requests] == ["PUT"]
    assert s3_behind_proxy.read("object", 10) == b"first"


def test_listings_are_fresh(s3_behind_proxy: Remote) -> None:
    other = Remote(s3_behind_proxy.url)
    assert s3_behind_proxy.sizes() == {}
    other.write("object", b"1")
    assert s3_behind_proxy.sizes() == {"object": 1}
    other.write("object", b"22")
    assert s3_behind_proxy.size("object") == 2
