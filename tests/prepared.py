"""Commands that start in milliseconds: children of a process that has imported what they need.

Importing torch and the rest costs a command three to six seconds of processor time. A server imports once;
programs with the commands' names, in a folder for ``PATH``, ask it to fork. A child has the caller's
arguments, folder, environment and streams, and the signals of a fresh process. Signals sent to the caller
reach the child, and the caller ends as the child ends. Figures are empty pictures: drawing takes most of the
time of a short training, and the tests in tests/training/report look at figures. Tests of how a process
starts use the installed programs instead.

::

    ser-train (client) ──argv, cwd, environ, streams──▶ server ──fork──▶ watcher ──fork──▶ the command
                       ◀──pid, then exit status──────────────────────────┘
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tests.blank_pictures import draw_blank

_LIBRARIES = (
    "lightning.fabric",
    "matplotlib.pyplot",
    "sklearn.linear_model",
    "sklearn.discriminant_analysis",
)
_PACKAGES = ("schemas", "data", "pipelines", "featurestore", "training")
_LEFT_OUT = re.compile(r"cluster|training\.(web|export)|\.demo$|dali")
"""Modules whose libraries few commands need, or which start threads."""

FEWEST_FOR_WORKERS = 10_000
"""Clips from which a build starts worker processes: each imports for seconds what the server has imported."""

_CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
    server.connect({address!r})
    request = dict(argv=[{program!r}, *sys.argv[1:]], cwd=os.getcwd(), environ=dict(os.environ))
    body = json.dumps(request).encode()
    streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    server.sendmsg([len(body).to_bytes(8, "big")], streams)
    server.sendall(body)
    answers = server.makefile()
    child = int(answers.readline())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(child, number))
    status = int(answers.readline())
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@contextmanager
def prepared_commands(folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Folder with a program for each installed command, for the front of ``PATH``; they end with the server.

    ``environment`` is the server's: what libraries read when they are imported, such as ``OMP_NUM_THREADS``.
    """
    address = folder / "socket"
    for found in entry_points(group="console_scripts"):
        if found.name.startswith("ser-"):
            program = folder / "bin" / found.name
            program.parent.mkdir(exist_ok=True)
            program.write_text(
                _CLIENT.format(python=sys.executable, address=str(address), program=found.name)
            )
            program.chmod(0o755)
    command = [sys.executable, "-m", "tests.prepared", str(address)]
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(command, env=dict(environment), cwd=root, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n", "the server of prepared commands did not start"
            yield folder / "bin"
        finally:
            server.terminate()


def _serve(address: str) -> None:
    for name in (*_LIBRARIES, *_modules()):
        importlib.import_module(name)
    worker_processes = importlib.import_module("featurestore.compute.worker_processes")
    vars(worker_processes)["MANY_CLIPS"] = FEWEST_FOR_WORKERS
    _compile_pages()
    with draw_blank(), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(address)
        server.listen(64)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
        print("ready", flush=True)
        while True:
            caller, _ = server.accept()
            if os.fork() == 0:
                server.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _watch(caller)
            caller.close()


def _compile_pages() -> None:
    """Each training has a page, and its templates would be compiled in each child."""
    from featurestore.page.render import templates

    for package in ("featurestore.report", "training.report.page"):
        pages = templates(package, "featurestore.page")
        for name in pages.list_templates():
            pages.get_template(name)


def _modules() -> Iterator[str]:
    for package in _PACKAGES:
        paths = importlib.import_module(package).__path__
        for found in pkgutil.walk_packages(paths, f"{package}."):
            if not _LEFT_OUT.search(found.name):
                yield found.name


def _watch(caller: socket.socket) -> None:
    """Fork the command, tell its process and its end, and kill it if the caller has gone. Does not return."""
    head, ancillary, _, _ = caller.recvmsg(8, socket.CMSG_SPACE(3 * 4))
    streams = list(memoryview(ancillary[0][2]).cast("i"))
    size = int.from_bytes(head, "big")
    body = b""
    while len(body) < size:
        body += caller.recv(size - len(body))
    child = os.fork()
    if child == 0:
        caller.close()
        _become(json.loads(body), streams)
    for stream in streams:
        os.close(stream)
    with contextlib.suppress(OSError):
        caller.sendall(b"%d\n" % child)
        ended = os.pidfd_open(child)
        ready, _, _ = select.select([ended, caller], [], [])
        if ended not in ready:
            os.kill(child, signal.SIGKILL)
        caller.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)


def _become(request: Mapping[str, Any], streams: list[int]) -> None:
    """Run the command in this process, and end it."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    # Where the interpreter would look first: packages that the caller has installed.
    sys.path[:0] = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.argv = request["argv"]
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(stream, mode, encoding="utf-8", closefd=False, buffering=buffering)
        for stream, mode, buffering in ((0, "r", -1), (1, "w", -1), (2, "w", 1))
    )
    (entry,) = entry_points(group="console_scripts", name=sys.argv[0])
    status = _status(entry.load())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)  # libraries would join threads at exit that a fork does not have


def _status(main: Any) -> int:
    """Run a command as the interpreter would, and return its exit status."""
    status = 0
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 as the interpreter does
        sys.excepthook(*sys.exc_info())
        status = 1
    return status


if __name__ == "__main__":
    _serve(sys.argv[1])
