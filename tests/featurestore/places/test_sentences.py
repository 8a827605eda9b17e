"""What users read when a place refuses: one sentence with the next step, and no secret."""

import importlib
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from featurestore.places.choose import place_at
from featurestore.places.refusals import mask
from featurestore.places.remote import Remote
from schemas.errors import StorageError
from tests.featurestore.places.conftest import QUICK
from tests.servers.s3 import s3_clients_at
from tests.servers.serving import free_port
from tests.servers.sftp import Sftp, sftp_client_of, sftp_server
from tests.servers.web import Web, web_server

SECRET = "s3cr3t-w0rd"


def _sentence(action: Callable[[], object]) -> str:
    """What the action's refusal says."""
    with pytest.raises(StorageError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 320
    assert not re.search(r"aiohttp|botocore|asyncssh|Errno|Traceback", text)
    whole = "".join(traceback.format_exception(caught.value))
    assert "direct cause" not in whole
    assert "another exception" not in whole
    return text


def test_a_bucket_that_is_not_there(s3_clients: str) -> None:
    place = Remote("s3://no-such-bucket/store", QUICK)
    actions: list[Callable[[], object]] = [
        lambda: place.read("store.json", 10),
        lambda: list(place.blocks("store.json")),
        lambda: place.write("store.json", b"x"),
        lambda: place.size("store.json"),
        place.sizes,
        lambda: place.delete(["store.json"]),
    ]
    for action in actions:
        assert "there is no bucket no-such-bucket; create it" in _sentence(action)


def test_no_credentials(s3_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from s3fs import S3FileSystem

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    S3FileSystem.clear_instance_cache()
    text = _sentence(lambda: Remote(s3_url, QUICK).read("store.json", 10))
    S3FileSystem.clear_instance_cache()
    assert "no usable credentials; set AWS_ACCESS_KEY_ID" in text


ANSWERS = {
    ("403", "AccessDenied"): "access is denied",
    ("403", "InvalidAccessKeyId"): "rejects the credentials (InvalidAccessKeyId)",
    ("403", "SignatureDoesNotMatch"): "rejects the credentials (SignatureDoesNotMatch)",
    ("400", "ExpiredToken"): "rejects the credentials (ExpiredToken)",
    ("301", "PermanentRedirect"): "another region; set AWS_DEFAULT_REGION",
    ("400", "SomethingNew"): "object: SomethingNew: Some words",
}


@pytest.mark.parametrize("answer", ANSWERS, ids="-".join)
def test_what_s3_answers(answer: tuple[str, str], tmp_path: Path) -> None:
    def refuse(handler: Any) -> None:
        body = f"<Error><Code>{answer[1]}</Code><Message>Some words</Message></Error>".encode()
        handler.send_response(int(answer[0]))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with web_server(tmp_path) as web, s3_clients_at(web.url):
        web.special["/bucket/store/object"] = refuse
        assert ANSWERS[answer] in _sentence(lambda: Remote("s3://bucket/store", QUICK).read("object", 10))
        assert [method for method, _, _ in web.requests].count("GET") == 1


def test_a_refused_connection() -> None:
    port = free_port()
    assert "refuses the connection" in _sentence(
        lambda: Remote(f"http://127.0.0.1:{port}/store", QUICK).read("a", 1)
    )
    with s3_clients_at(f"http://127.0.0.1:{port}"):
        text = _sentence(lambda: Remote("s3://bucket/store", QUICK).read("a", 1))
    assert "the S3 server (see AWS_ENDPOINT_URL) refuses the connection" in text


def test_sftp_that_refuses_the_connection(sftp: Sftp) -> None:
    port = free_port()
    text = _sentence(lambda: Remote(f"sftp://127.0.0.1:{port}/store", QUICK).read("a", 1))
    assert "127.0.0.1 refuses the connection" in text


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/store", "sftp://no-such-host.invalid/store"])
def test_an_unknown_host(url: str) -> None:
    assert "no-such-host.invalid cannot be resolved" in _sentence(lambda: Remote(url, QUICK).read("a", 1))


def test_an_unknown_endpoint() -> None:
    with s3_clients_at("http://no-such-host.invalid"):
        text = _sentence(lambda: Remote("s3://bucket/store", QUICK).read("a", 1))
    assert "the host name of the S3 server (see AWS_ENDPOINT_URL) cannot be resolved" in text


@pytest.mark.parametrize(("status", "words"), [(401, "rejects the login"), (403, "access is denied")])
def test_a_web_server_that_refuses_keeps_the_password_to_itself(status: int, words: str, web: Web) -> None:
    def refuse(handler: Any) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.special["/store/a"] = refuse
    place = Remote(web.url.replace("://", f"://anna:{SECRET}@") + "/store", QUICK)
    for action in (lambda: place.read("a", 1), lambda: list(place.blocks("a")), lambda: place.size("a")):
        text = _sentence(action)
        assert words in text
        assert SECRET not in text
        assert "anna" not in text


def test_no_error_of_any_kind_holds_the_password(web: Web) -> None:
    place = Remote(web.url.replace("://", f"://anna:{SECRET}@") + "/store", QUICK)
    (web.root / "store").mkdir()
    (web.root / "store" / "a").write_bytes(b"12")
    actions: list[Callable[[], object]] = [
        lambda: place.read("nothing", 1),
        lambda: place.read("a", 1),
        place.sizes,
        lambda: place.write("a", b""),
        lambda: place.delete(["a"]),
        lambda: place_at(place.url + "?token=" + SECRET),
        lambda: place_at("zip::" + place.url),
        lambda: place_at(place.url.replace("http", "unheard")),
    ]
    for action in actions:
        with pytest.raises(Exception) as caught:  # noqa: PT011 (of any kind)
            action()
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in str(place)
    assert SECRET not in repr(place)
    assert SECRET in place.url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://anna:pw@host:8080/a/b", "https://***@host:8080/a/b"),
        ("https://token@host/a", "https://***@host/a"),
        ("sftp://anna:p@w@host/a", "sftp://***@host/a"),
        ("https://host/a?sig=abc#part", "https://host/a?***"),
        ("s3://bucket/a", "s3://bucket/a"),
        ("https://[bad/a:pw@", "https://…"),
    ],
)
def test_secrets_are_masked(url: str, shown: str) -> None:
    assert mask(url) == shown


def test_an_sftp_server_whose_key_is_not_known(sftp: Sftp, tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh" / "known_hosts").write_text("")
    text = _sentence(lambda: Remote(sftp.url(tmp_path), QUICK).read("a", 1))
    assert "the host key of 127.0.0.1 is not in ~/.ssh/known_hosts" in text


def test_an_sftp_password_that_is_wrong(tmp_path: Path) -> None:
    with sftp_server(password=SECRET) as server, sftp_client_of(server, tmp_path / "home"):
        (tmp_path / "a").write_bytes(b"12")
        url = server.url(tmp_path)
        right = Remote(url.replace("://", f"://anna:{SECRET}@"), QUICK)
        assert right.read("a", 2) == b"12"
        wrong = Remote(url.replace("://", "://anna:wr0ng@"), QUICK)
        text = _sentence(lambda: wrong.read("a", 2))
        assert "rejects the login" in text
        assert "wr0ng" not in text


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("s3://bucket/a", "s3fs", "s3"),
        ("https://host/a", "fsspec.implementations.http", "http"),
        ("sftp://host/a", "sshfs", "sftp"),
        ("hf://datasets/anna/store", "huggingface_hub", "hf"),
    ],
)
def test_a_missing_package(url: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = importlib.import_module("fsspec.registry")
    monkeypatch.delitem(registry._registry, url.partition(":")[0], raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    assert f"pip install 'ser-features[{extra}]'" in _sentence(lambda: place_at(url))


def test_a_disk_that_is_full_behind_sftp(sftp: Sftp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncssh

    async def full(*args: object, **kwargs: object) -> None:
        raise asyncssh.SFTPNoSpaceOnFilesystem("full")

    monkeypatch.setattr(asyncssh.SFTPClientFile, "write", full)
    text = _sentence(lambda: Remote(sftp.url(tmp_path / "store"), QUICK).write("a", b"x"))
    assert "the disk of the server is full" in text
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def test_a_folder_that_may_not_be_written_behind_sftp(sftp: Sftp, tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"a file")
    text = _sentence(lambda: Remote(sftp.url(tmp_path / "store"), QUICK).write("a", b"x"))
    assert text.startswith("cannot write sftp://")


def test_a_delete_that_s3_refuses_for_one_object(s3_url: str) -> None:
    from s3fs import S3FileSystem

    answer = {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "Access Denied"}]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3FileSystem, "call_s3", lambda *args, **kwargs: answer)
        text = _sentence(lambda: Remote(s3_url, QUICK).delete(["a"]))
    assert "access is denied" in text
