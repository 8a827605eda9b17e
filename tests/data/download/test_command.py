"""``ser-features download`` as a user runs it: a process, a terminal, Ctrl-C, kill -9."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from data.locate import locate
from schemas.errors import CorpusNotFoundError
from tests.data.download.conftest import Files, content
from tests.data.download.publisher import Publisher, zenodo, zipped

Serve = Callable[[Publisher], Publisher]
PROGRAM = [
    sys.executable,
    "-c",
    "from training.cli.features import main; main()",
    "download",
    "ravdess",
    "--corpora",
]


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    return tmp_path / "corpora"


@pytest.fixture
def server(serve: Serve, ravdess_files: Files) -> Publisher:
    return serve(zenodo(zipped(ravdess_files)))


def run(corpora: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, str(corpora), *options],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def half_way(server: Publisher, corpora: Path, *options: str) -> subprocess.Popen[str]:
    """A download of which a part has come, and the rest comes slowly."""
    server.bytes_a_second = 100_000
    process = subprocess.Popen(
        [*PROGRAM, str(corpora), "--accept-licence", *options], stderr=subprocess.PIPE, text=True
    )
    while not any(part.stat().st_size > 50_000 for part in corpora.glob(".ravdess.download/parts/*.part")):
        assert process.poll() is None
        time.sleep(0.02)
    return process


def on_a_terminal(corpora: Path, answer: bytes) -> tuple[int, str]:
    """Exit status and what is shown where somebody answers."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*PROGRAM, str(corpora)])
    shown = b""
    try:
        while block := os.read(terminal, 4096):
            shown += block
            if answer and b"accept" in shown and b"]:" in shown:
                os.write(terminal, answer)
                answer = b""
    except OSError:  # the child has closed the terminal
        pass
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_it_shows_the_licence_counts_the_clips_and_names_the_next_command(
    corpora: Path, server: Publisher, ravdess_files: Files
) -> None:
    result = run(corpora, "--accept-licence")

    assert result.returncode == 0, result.stderr
    assert "CC BY-NC-SA 4.0: name the authors, no commercial use" in result.stderr
    assert "https://zenodo.org/records/1188976" in result.stderr
    assert "6 of 1,440 clips, 2 speakers; 0.3 MB downloaded" in result.stdout
    assert f"next: ser-features build --datasets ravdess --corpora {corpora}" in result.stdout
    assert content(corpora / "ravdess") == ravdess_files


def test_without_a_terminal_the_licence_must_be_accepted_by_the_option(
    corpora: Path, server: Publisher
) -> None:
    result = run(corpora)

    assert result.returncode == 2
    assert "add --accept-licence" in result.stderr
    assert server.requests == []
    assert not corpora.exists()


def test_on_a_terminal_the_answer_decides(corpora: Path, server: Publisher, ravdess_files: Files) -> None:
    status, shown = on_a_terminal(corpora, b"n\n")
    assert (status, server.requests) == (130, [])
    assert "nothing was downloaded" in shown

    status, shown = on_a_terminal(corpora, b"y\n")
    assert status == 0, shown
    assert content(corpora / "ravdess") == ravdess_files


def test_json_says_what_is_there_and_the_second_call_that_it_was(corpora: Path, server: Publisher) -> None:
    first = json.loads(run(corpora, "--accept-licence", "--json").stdout)
    second = json.loads(run(corpora, "--json").stdout)

    assert first["path"] == str(corpora / "ravdess")
    assert (first["clips"], first["expected_clips"], first["was_there"]) == (6, 1440, False)
    assert (second["clips"], second["fetched_bytes"], second["was_there"]) == (6, 0, True)


def test_ctrl_c_keeps_what_has_come_and_says_so(
    corpora: Path, server: Publisher, ravdess_files: Files
) -> None:
    process = half_way(server, corpora)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "of ravdess are kept in" in told
    assert "Traceback" not in told
    require_resumed(corpora, server, ravdess_files)


def test_a_killed_download_never_looks_like_a_corpus(
    corpora: Path, server: Publisher, ravdess_files: Files
) -> None:
    process = half_way(server, corpora)
    process.kill()
    process.communicate(timeout=60)

    with pytest.raises(CorpusNotFoundError):
        locate("ravdess", corpora)
    require_resumed(corpora, server, ravdess_files)


def require_resumed(corpora: Path, server: Publisher, files: Files) -> None:
    server.bytes_a_second = None
    server.requests.clear()
    result = run(corpora, "--accept-licence")
    assert result.returncode == 0, result.stderr
    (request,) = server.asked("/content")
    assert int(request.headers["Range"].removeprefix("bytes=").rstrip("-")) > 50_000
    assert content(corpora / "ravdess") == files


def test_a_failure_is_one_sentence(corpora: Path, server: Publisher) -> None:
    server.only = "/api/"
    server.faults.append("404")

    result = run(corpora, "--accept-licence")

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: 127.0.0.1:")
    assert "Traceback" not in result.stderr


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, server: Publisher) -> None:
    (tmp_path / "file").write_text("in the way")

    result = run(tmp_path / "file" / "corpora", "--accept-licence")

    assert result.returncode == 1
    assert "cannot write" in result.stderr
    assert "Traceback" not in result.stderr
