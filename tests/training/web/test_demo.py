"""``ser-demo`` from its start to its end, and the mistakes that can be made with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import commands
from tests.training.damaged import without_hashes
from tests.training.web.asking import client, shares, told
from tests.training.web.conftest import COMMAND, Serve
from training.http.listen import PortTakenError, listen_on, url_of
from training.web.server import PORT


def called(*options: object) -> tuple[int, str, str]:
    done = commands.run("ser-demo", *map(str, options), status=None)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_and_leaves_nothing(
    serve: Serve, run: Path, clips: list[Path], kind: signal.Signals
) -> None:
    served = serve(run, "--port", 0)
    with client(served.url) as to:
        assert shares(told(to, clips[0].read_bytes()))
        with to.stream("GET", "/gradio_api/heartbeat/mine"):  # as an open page holds it
            served.process.send_signal(kind)
            assert served.process.wait(60) == 0
    assert [*served.temporary.glob("ser-demo-*")] == []
    assert "".join(served.rest()) == ""


@pytest.mark.slow
def test_mistakes_are_one_sentence(run: Path, tmp_path: Path) -> None:
    untested = tmp_path / "untested"
    shutil.copytree(run, untested)
    (without_hashes(untested) / "metrics.json").unlink()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        for options, status, sentence in (
            ((tmp_path,), 1, "is not a run folder"),
            ((untested,), 1, "the quality of its predictions is unknown"),
            ((run, "--port", taken), 1, f"port {taken} on 127.0.0.1 is used by another program"),
            ((run, "--host", "192.0.2.1", "--port", 0), 2, "give --host an address of this machine"),
            ((run, "--public-url", "demo.example"), 2, "give the full address"),
            ((run, "--live", "--max-mb", 5), 2, "--max-mb 5 is for files, and --live listens"),
        ):
            found, out, err = called(*options)
            assert (found, out) == (status, ""), err
            assert sentence in err
            assert "Traceback" not in err
            assert len(err.strip().splitlines()) == 1, err


@pytest.mark.parametrize(
    ("module", "options"), [("gradio", ()), ("uvicorn", ()), ("websockets", ("--live",))]
)
def test_a_missing_extra_is_named(
    tmp_path: Path, module: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    status, out, err = called(tmp_path, *options)
    assert (status, out) == (1, "")
    assert err.strip().endswith("install ser-features[demo]")
    assert len(err.strip().splitlines()) == 1


def test_help_is_fast_for_it_imports_nothing_heavy() -> None:
    heavy = "import sys, atexit\natexit.register(lambda: print({'torch', 'gradio'} & {*sys.modules}))\n"
    command = [sys.executable, "-c", heavy + COMMAND, "--help"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "set()"
    assert "--max-seconds" in out


def test_the_next_port_is_taken_where_none_is_asked_for() -> None:
    with listen_on("127.0.0.1", None, PORT) as first, listen_on("127.0.0.1", None, PORT) as second:
        ports = [found.getsockname()[1] for found in (first, second)]
        assert min(ports) >= PORT
        assert ports[0] != ports[1]
        assert url_of(second) == f"http://127.0.0.1:{ports[1]}"
        with pytest.raises(PortTakenError, match="choose another --port"):
            listen_on("127.0.0.1", ports[0], PORT)


@pytest.mark.slow
def test_an_address_for_others_carries_a_warning_and_any_name_reaches_it(serve: Serve, run: Path) -> None:
    served = serve(run, "--host", "0.0.0.0", "--port", 0)
    with client(f"http://127.0.0.1:{served.port}") as to:
        assert to.get("/", headers={"Host": "my-desk.example"}).status_code == 200
        refused = to.get("/config", headers={"Host": "my-desk.example", "Origin": "http://other.example"})
        assert refused.status_code == 403
    served.process.terminate()
    (warning,) = [line for line in served.rest() if line]
    assert warning.startswith("note: 0.0.0.0 is open to other machines")


@pytest.mark.slow
def test_a_browser_is_opened_where_it_is_asked_for(serve: Serve, run: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(0o755)
    command = f"import os\nos.environ['BROWSER'] = '{program} %s'\n{COMMAND}"
    served = serve(run, "--port", 0, "--open", command=command)
    while not (opened.exists() and opened.read_text()):
        time.sleep(0.05)
    assert opened.read_text().strip() == served.url
    assert os.access(program, os.X_OK)
