"""Connections that break, and servers that change their mind, refuse, stall or lie."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from data.download import download as steps
from data.download.download import Downloaded
from data.download.errors import DownloadError
from data.download.staging import Staging, open_staging
from data.download.web import DownloadPatience
from data.locate import locate
from schemas.errors import CorpusNotFoundError
from tests.data.download.conftest import QUICK, Files, content, noise
from tests.data.download.publisher import Publisher, dataverse, git_lfs, zenodo, zipped

Serve = Callable[[Publisher], Publisher]
Get = Callable[..., Downloaded]


def require_no_corpus(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusNotFoundError):
        locate(name, tmp_path / "corpora")


def interrupted(get: Get, server: Publisher) -> None:
    """A download that is given up with half of the archive there."""
    server.faults = deque(["cut"])
    with pytest.raises(DownloadError, match="received files are kept"):
        get("ravdess", DownloadPatience(attempts=1))


def test_a_download_goes_on_where_it_was(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    archive = zipped(ravdess_files)
    server = serve(zenodo(archive))
    interrupted(get, server)
    require_no_corpus(tmp_path, "ravdess")

    found = get("ravdess")

    last = server.asked("/content")[-1]
    assert last.headers["Range"] == f"bytes={len(archive) // 2}-"
    assert last.headers["If-Range"].startswith('"')
    assert found.fetched_bytes == len(archive) - len(archive) // 2
    assert content(tmp_path / "corpora" / "ravdess") == ravdess_files


def test_broken_connections_are_gone_on_with_as_long_as_bytes_come(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    archive = zipped(ravdess_files)
    server = serve(zenodo(archive))
    server.faults = deque(["reset", "cut", "cut", "cut", "reset", "cut", "cut", "503", "cut"])
    notices: list[str] = []

    get("ravdess", notices=notices)

    assert content(tmp_path / "corpora" / "ravdess") == ravdess_files
    assert server.sent < 1.02 * len(archive) + 10_000
    assert len(notices) == 9
    assert "trying again" in notices[0]


def test_a_server_that_knows_no_ranges_is_asked_for_the_whole_again(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    archive = zipped(ravdess_files)
    server = serve(zenodo(archive))
    server.ranges = False
    interrupted(get, server)

    assert get("ravdess").fetched_bytes == len(archive) - len(archive) // 2

    assert content(tmp_path / "corpora" / "ravdess") == ravdess_files


def test_a_file_that_was_replaced_is_fetched_from_its_start(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    interrupted(get, server)
    (validator,) = (tmp_path / "corpora").glob(".ravdess.download/parts/*.validator")
    validator.write_text('"another"')
    server.requests.clear()

    get("ravdess")

    (request,) = server.asked("/content")
    assert request.headers["If-Range"] == '"another"'
    assert content(tmp_path / "corpora" / "ravdess") == ravdess_files


def test_a_list_that_names_another_checksum_by_now_never_continues_the_old_part(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    interrupted(get, server)
    newer = {name: noise(99, len(body)) for name, body in ravdess_files.items()}
    server.bodies.update(zenodo(zipped(newer)).bodies)
    server.requests.clear()

    get("ravdess")

    assert all("Range" not in request.headers for request in server.requests)
    assert content(tmp_path / "corpora" / "ravdess") == newer


def test_a_part_that_holds_other_bytes_is_noticed_and_fetched_anew(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    server.etags = False
    interrupted(get, server)
    (part,) = (tmp_path / "corpora").glob(".ravdess.download/parts/*.part")
    part.write_bytes(bytes(part.stat().st_size))

    get("ravdess")

    assert content(tmp_path / "corpora" / "ravdess") == ravdess_files


def test_a_checksum_that_never_fits_is_told_and_becomes_no_corpus(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    server.faults = deque(["other"] * 5)

    with pytest.raises(DownloadError, match="was downloaded twice, but never with the checksum"):
        get("ravdess")

    assert len(server.asked("/content")) == 2
    require_no_corpus(tmp_path, "ravdess")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("long", r"sends [\d,]+ bytes for .* its list of files says"),
        ("short", r"sends [\d,]+ bytes for"),
        ("longer", "sends more than"),
    ],
)
def test_a_server_that_lies_about_a_size_is_told_at_once(
    fault: str, message: str, tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    server.faults = deque([fault])

    with pytest.raises(DownloadError, match=message):
        get("ravdess")

    require_no_corpus(tmp_path, "ravdess")
    assert server.sent < 20_000_000
    assert len(server.asked("/content")) == 1
    get("ravdess")
    assert content(tmp_path / "corpora" / "ravdess") == ravdess_files


def test_a_wait_that_the_server_asks_for_is_waited(serve: Serve, get: Get, ravdess_files: Files) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    server.faults = deque(["429:1", "503:1"])
    begun = time.monotonic()

    get("ravdess")

    assert time.monotonic() - begun >= 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_wait_is_left_to_the_user(form: str, serve: Serve, get: Get, ravdess_files: Files) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    wait = "3600" if form == "seconds" else formatdate(time.time() + 3600, usegmt=True)
    server.faults = deque([f"429:{wait}"])

    with pytest.raises(DownloadError, match=r"asks to wait 3[56]\d\d s; run the same command again"):
        get("ravdess")

    assert len(server.asked("/content")) == 1


@pytest.mark.parametrize(
    ("status", "message"), [(404, "does not have it"), (403, "refuses access"), (418, "418")]
)
def test_a_refusal_is_told_at_once(
    status: int, message: str, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    server.faults = deque([str(status)])

    with pytest.raises(DownloadError, match=message):
        get("ravdess")

    assert len(server.asked("/content")) == 1


def test_a_server_that_is_not_there_is_given_up_after_some_attempts(
    serve: Serve, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_DOWNLOAD_BASE", "http://127.0.0.1:9")
    notices: list[str] = []

    with pytest.raises(DownloadError, match="no connection, 4 times in a row; check your connection"):
        get("ravdess", notices=notices)

    assert len(notices) == QUICK.attempts - 1


def test_files_that_are_whole_are_not_fetched_again(
    tmp_path: Path, serve: Serve, get: Get, cremad_files: Files
) -> None:
    server = serve(git_lfs(cremad_files, b"ActorID,Sex\n1001,Male\n"))
    server.faults = deque([*[None] * 60, "404"])
    with pytest.raises(DownloadError, match="does not have it"):
        get("cremad")
    server.requests.clear()

    get("cremad")

    fetched = [request for request in server.asked("/objects/") if not request.body]
    assert len(fetched) < len(cremad_files) - 50
    assert server.asked("/zip/") == []
    assert len(content(tmp_path / "corpora" / "cremad")) == len(cremad_files) + 1


def test_an_object_that_git_lfs_lacks_is_named(serve: Serve, get: Get, cremad_files: Files) -> None:
    server = serve(git_lfs(cremad_files, b"ActorID,Sex\n1001,Male\n"))
    del server.bodies[max(path for path in server.bodies if path.startswith("/objects/"))]

    with pytest.raises(DownloadError, match=r"refuses AudioWAV/\S+.wav: Object does not exist \(404\)"):
        get("cremad")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda files: files.clear(), "lists no recording"),
        (lambda files: files[0].update(restricted=True), "restricted"),
        (lambda files: files[0].update(label="../OAF_back_angry.wav"), "out of the corpus folder"),
        (lambda files: files[0].update(directoryLabel="a/../../b"), "out of the corpus folder"),
        (
            lambda files: files[0]["dataFile"].update(checksum={"type": "CRC", "value": "0"}),
            "no supported",
        ),
        (lambda files: files[0].pop("dataFile"), "did not return a Dataverse data set"),
    ],
)
def test_a_list_that_makes_no_sense_is_told(
    damage: Callable[[list[dict[str, object]]], None], message: str, tmp_path: Path, serve: Serve, get: Get,
    tess_files: Files,
) -> None:  # fmt: skip
    server = serve(dataverse(tess_files))
    path = next(path for path in server.bodies if "latest-published" in path)
    answer = json.loads(server.bodies[path])
    damage(answer["data"]["files"])
    server.bodies[path] = json.dumps(answer).encode()

    with pytest.raises(DownloadError, match=message):
        get("tess")

    require_no_corpus(tmp_path, "tess")


def test_an_answer_that_is_no_json_is_asked_for_again(serve: Serve, get: Get, ravdess_files: Files) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    server.bodies["/api/records/1188976"] = b"<html>maintenance</html>"

    with pytest.raises(DownloadError, match="not JSON, 4 times in a row"):
        get("ravdess")


def test_a_full_disk_is_told_before_anything_is_fetched(
    serve: Serve, get: Get, ravdess_files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    usage = steps.shutil.disk_usage("/")
    monkeypatch.setattr(steps.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))

    with pytest.raises(DownloadError, match=r"ravdess needs 30\d MB more .* but only 1 MB are free"):
        get("ravdess")

    assert server.asked("/content") == []


def test_two_downloads_of_a_corpus_never_run_at_the_same_time(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    (tmp_path / "corpora").mkdir()

    with (
        open_staging("ravdess", tmp_path / "corpora"),
        pytest.raises(DownloadError, match="another process is downloading ravdess"),
    ):
        get("ravdess")

    assert server.requests == []
    get("ravdess")


def test_what_another_process_finished_in_between_is_not_fetched_again(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    get("ravdess")
    (tmp_path / "corpora" / "ravdess").rename(tmp_path / "done")
    server.requests.clear()

    @contextmanager
    def finished_in_between(name: str, corpora: Path) -> Iterator[Staging]:
        (tmp_path / "done").rename(corpora / "ravdess")
        with open_staging(name, corpora) as staging:
            yield staging

    monkeypatch.setattr(steps, "open_staging", finished_in_between)

    assert get("ravdess").was_there
    assert server.requests == []
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == ["ravdess"]
