"""Corpora from publishers' servers to folders: complete, checked, where a build looks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data.download.download import Downloaded
from data.download.errors import DownloadError
from data.download.offers import offer
from data.locate import locate
from schemas.errors import CorpusNotFoundError, UnknownNameError, UsageError
from schemas.labels import Gender
from tests.data.download.conftest import Files, content
from tests.data.download.publisher import Publisher, dataverse, git_lfs, zenodo, zipped

Serve = Callable[[Publisher], Publisher]
Get = Callable[..., Downloaded]
TABLE = b"ActorID,Age,Sex,Race,Ethnicity\r\n" + b"".join(
    f"{1001 + i},30,{'Male' if i % 2 else 'Female'},Unknown,Unknown\r\n".encode() for i in range(26)
)


def test_ravdess_is_unpacked_into_its_folder_and_nothing_else_is_left(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    serve(zenodo(zipped(ravdess_files | {"__MACOSX/._x": b"", ".DS_Store": b""})))

    found = get("ravdess")

    assert content(tmp_path / "corpora" / "ravdess") == ravdess_files
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == ["ravdess"]
    assert len(found.scan.clips) == 6
    ((_, folder),) = locate("ravdess", tmp_path / "corpora").found
    assert folder == tmp_path / "corpora" / "ravdess"


def test_tess_is_fetched_file_by_file_and_never_asks_for_a_format(
    tmp_path: Path, serve: Serve, get: Get, tess_files: Files
) -> None:
    server = serve(dataverse(tess_files | {"README.txt": b"what it is"}))

    found = get("tess")

    assert content(tmp_path / "corpora" / "tess") == tess_files
    assert len(found.scan.clips) == len(tess_files)
    assert all("format=" not in request.path for request in server.requests)
    assert "persistentId=doi%3A10.5683%2FSP2%2FE8H2MF" in server.requests[0].path
    assert server.busiest <= 4


def test_archives_and_recordings_of_one_data_set_come_to_one_folder(
    tmp_path: Path, serve: Serve, get: Get, tess_files: Files
) -> None:
    names = sorted(tess_files)
    inside, loose = ({name: tess_files[name] for name in part} for part in (names[:5], names[5:]))
    serve(dataverse(loose | {"old.zip": zipped(inside)}))

    get("tess")

    assert content(tmp_path / "corpora" / "tess") == tess_files


def test_cremad_resolves_the_pointers_of_git_lfs_and_has_the_table_of_speakers(
    tmp_path: Path, serve: Serve, get: Get, cremad_files: Files
) -> None:
    server = serve(git_lfs(cremad_files, TABLE))

    found = get("cremad")

    assert content(tmp_path / "corpora" / "cremad") == cremad_files | {"VideoDemographics.csv": TABLE}
    assert {clip.gender for clip in found.scan.clips} == {Gender.MALE, Gender.FEMALE}
    batches = [json.loads(request.body) for request in server.asked("/objects/batch")]
    assert [len(batch["objects"]) for batch in batches] == [100, 30]
    assert all(
        request.headers["X-Token"] == "t0" for request in server.asked("/objects/") if not request.body
    )
    assert server.busiest <= 6


@pytest.mark.parametrize("name", ["ravdess", "tess", "cremad"])
def test_a_second_call_asks_the_server_for_nothing(
    name: str, serve: Serve, get: Get, ravdess_files: Files, tess_files: Files, cremad_files: Files
) -> None:
    made = {
        "ravdess": zenodo(zipped(ravdess_files)),
        "tess": dataverse(tess_files),
        "cremad": git_lfs(cremad_files, TABLE),
    }
    server = serve(made[name])
    first = get(name)
    server.requests.clear()

    second = get(name)

    assert server.requests == []
    assert (first.was_there, second.was_there) == (False, True)
    assert (first.fetched_bytes > 0, second.fetched_bytes) == (True, 0)
    assert second.scan == first.scan


def test_a_folder_that_lacks_clips_is_left_as_it_is(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    server = serve(zenodo(zipped(ravdess_files)))
    own = tmp_path / "corpora" / "Audio_Speech_Actors_01-24" / "03-01-01-01-01-01-01.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")

    with pytest.raises(DownloadError, match=r"contains 1 of 1,440 clips of ravdess; move it elsewhere"):
        get("ravdess")

    assert own.read_bytes() == b"mine"
    assert server.requests == []


def test_a_downloaded_corpus_from_which_a_clip_was_deleted_is_not_called_complete(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    serve(zenodo(zipped(ravdess_files)))
    get("ravdess")
    next((tmp_path / "corpora" / "ravdess").rglob("*.wav")).unlink()

    with pytest.raises(DownloadError, match="contains 5 of 1,440 clips"):
        get("ravdess")


def test_a_download_without_a_clip_becomes_no_corpus(tmp_path: Path, serve: Serve, get: Get) -> None:
    serve(zenodo(zipped({"Actor_01/notes.txt": b"moved"})))

    with pytest.raises(DownloadError, match="contains no clips of ravdess"):
        get("ravdess")

    with pytest.raises(CorpusNotFoundError):
        locate("ravdess", tmp_path / "corpora")


def test_something_else_under_the_corpus_s_name_stays(
    tmp_path: Path, serve: Serve, get: Get, ravdess_files: Files
) -> None:
    publisher = serve(zenodo(zipped(ravdess_files)))
    note = tmp_path / "corpora" / "ravdess" / "note.txt"
    note.parent.mkdir(parents=True)
    note.write_text("mine")

    with pytest.raises(DownloadError, match="contains no recordings of"):
        get("ravdess")

    assert publisher.requests == []  # before anything is fetched
    assert content(note.parent) == {"note.txt": b"mine"}
    note.rename(tmp_path / "note.txt")
    assert len(get("ravdess").scan.clips) == 6


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("savee", "register at http://kahlan"),
        ("emodb", "http://emodb.bilderbar.info/"),
        ("demo", "ser-features demo"),
    ],
)
def test_other_corpora_say_where_they_are_to_be_had(name: str, where: str) -> None:
    with pytest.raises(UsageError, match=where):
        offer(name)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ravdess'"):
        offer("ravdes")


def test_what_is_offered_is_what_the_registry_knows() -> None:
    for name in ("ravdess", "tess", "cremad"):
        assert offer(name).corpus.name == name
        assert f"`ser-features download {name}`" in offer(name).corpus.how_to_get
