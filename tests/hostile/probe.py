"""Opens, reads and verifies stores in a process of its own, and says what came of it and how much it took.

One line of JSON in: ``{"action": …, "store": …}``; one line out. The process is kept for many stores, since
importing takes longer than refusing.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SPARE_BYTES = 6 * 2**30
"""Address space that the process may take beyond what it starts with: so that a bomb hurts nobody else."""

TIMEOUT_S = 60

TARGET = "target/pulled.zarr"
"""Where a store is pulled or unpacked to, beside what it comes from."""


@dataclass(frozen=True)
class Outcome:
    """What an action came to: the error, if any, and the most memory and the time it took."""

    kind: str
    message: str
    reported: bool
    grown_mb: int
    seconds: float


class Probe:
    """A process that acts on stores; started anew when one has killed it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, action: str, store: Path | str) -> Outcome:
        """Act. A process that dies, or hangs, makes an outcome of kind ``died``."""
        process = self._process = self._process or self._started()
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"action": action, "store": str(store)}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if line:
            outcome = Outcome(**json.loads(line))
            if not outcome.reported and outcome.kind != "nothing":  # whatever it was may have left its mark
                self.close()
            return outcome
        self._process = None
        return Outcome("died", f"with {process.wait(TIMEOUT_S)}", reported=False, grown_mb=0, seconds=0)

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.probe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=REPOSITORY,
            env=self._environment,
        )


def _open(store: str) -> None:
    from featurestore.store import FeatureStore

    FeatureStore.open(store)


def _read(store: str) -> None:
    from featurestore.store import FeatureStore

    opened = FeatureStore.open(store)
    manifest = opened.manifest
    _ = opened.views
    views = range(len(opened.spec.view_names))
    opened.statistics(set(manifest["speaker"]), views)
    opened.read(range(len(manifest)), views)


def _xarray(store: str) -> None:
    from featurestore.store import FeatureStore

    opened = FeatureStore.open(store)
    for group in opened.to_xarray().subtree:
        for name in group.variables:
            group[name].load()


def _verify(store: str) -> None:
    from featurestore.verify import verify
    from schemas.errors import StoreDamagedError

    result = verify(store, full=True)
    if not result.ok:
        raise StoreDamagedError("; ".join(f"{f.name}: {f.fault}, {f.detail}" for f in result.findings[:3]))


def _pull(store: str) -> None:
    from featurestore.sharing.pull import pull

    pull(store, Path(store).parent / TARGET)


def _unpack(file: str) -> None:
    from featurestore.sharing.unpack import unpack

    unpack(file, Path(file).parent / TARGET)


_ACTIONS = {
    "open": _open,
    "read": _read,
    "xarray": _xarray,
    "verify": _verify,
    "pull": _pull,
    "unpack": _unpack,
}


def _peak_kb(*, reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0])


def _act(action: str, store: str) -> dict[str, Any]:
    import signal

    from schemas.errors import SerError

    before, started = _peak_kb(reset=True), time.perf_counter()
    kind, message, reported = "nothing", "", False
    signal.alarm(TIMEOUT_S)
    try:
        _ACTIONS[action](store)
    except BaseException as error:  # noqa: BLE001 whatever came is what the test looks at
        kind, message, reported = type(error).__name__, str(error), isinstance(error, SerError)
    signal.alarm(0)
    return {
        "kind": kind,
        "message": message,
        "reported": reported,
        "grown_mb": (_peak_kb() - before) >> 10,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _main() -> None:
    import featurestore.sharing.pull
    import featurestore.sharing.unpack
    import featurestore.store
    import featurestore.verify  # noqa: F401 imported before memory is measured

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + SPARE_BYTES, size + SPARE_BYTES))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_act(**json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
