"""Smoke test of an installed package: voices, store, report, training, prediction and evaluation.

    python tests/smoke.py [--compare OTHER_PYTHON]

It runs the package that is installed for the Python that runs it, and needs nothing else. With ``--compare``,
the package installed for another Python builds the same store: both digests must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BUILD = ("build", "--datasets", "demo", "--augment", "1", "--json")
CLIPS = 336
"""Half of the demo corpus: the first of two repetitions."""

EMOTIONS = 7


class Smoke:
    """The commands of one installation, run in a folder."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.commands, self.folder = python.parent, folder

    def run(self, command: str, *arguments: str | Path) -> str:
        """Output of a command that must exit with 0, without a traceback; its Python sees no checkout."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "SER_"))
        }
        begun = time.perf_counter()
        done = subprocess.run(
            [self.commands / command, *arguments],
            cwd=self.folder,
            env=kept,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        words = " ".join([command, *map(str, arguments)])
        if done.returncode or "Traceback" in done.stderr:
            sys.exit(
                f"smoke test failed: {words} (exit status {done.returncode})\n{done.stdout}{done.stderr}"
            )
        if "PYTHONWARNINGS" in os.environ:
            print(done.stderr, end="")
        print(f"  {time.perf_counter() - begun:5.1f} s  {words}", flush=True)
        return done.stdout

    def read(self, command: str, *arguments: str | Path) -> Any:
        """What a command prints with ``--json``."""
        return json.loads(self.run(command, *arguments, "--json"))


def check(fact: str, found: object, expected: object) -> None:
    """End the test unless a fact is as expected."""
    if found != expected:
        sys.exit(f"smoke test failed: {fact}: found {found!r}, expected {expected!r}")


def run_all(smoke: Smoke) -> str:
    """Run every step; return the digest of the store."""
    folder = smoke.folder
    smoke.run("ser-features", "demo")
    for recording in (folder / "corpora" / "demo").rglob("*_2.wav"):
        recording.unlink()
    built = json.loads(smoke.run("ser-features", *BUILD))
    check("clips in the store", built["clips_built"], CLIPS)
    check("unusable clips", built["bad"], [])
    verified = smoke.read("ser-features", "verify", "features.zarr", "--full")
    check("digest of the verified store", verified["digest"], built["digest"])
    smoke.run("ser-features", "report", "features.zarr", "--out", "report.html")
    check("end of the report", (folder / "report.html").read_text().rstrip()[-7:], "</html>")

    functionals = train(smoke, "--model", "functionals", "--device", "cpu")
    ua = evaluate(smoke, functionals)
    if ua < 2 / EMOTIONS:
        sys.exit(f"smoke test failed: functionals recognise {ua:.1%} (UA), hardly more than chance")
    network = train(smoke, "--model", "A", "--epochs", "1", "--where", "sentence == 's1'", "--device", "cpu")

    clip = min(Path(folder, "corpora").rglob("*.wav")).relative_to(folder)
    predicted = smoke.read("ser-predict", functionals, clip, "--with", network)
    check("models that predict", len(predicted["models"]), 2)
    (whole,) = predicted["clips"][0]["predictions"]
    check("emotions with a probability", len(whole["probabilities"]), EMOTIONS)
    check("sum of the probabilities", round(sum(whole["probabilities"].values()), 5), 1)
    return str(built["digest"])


def train(smoke: Smoke, *options: str) -> Path:
    """Train with options; return the run's folder, relative to the folder of the commands."""
    return Path(smoke.read("ser-train", *options)["run"])


def evaluate(smoke: Smoke, run: Path) -> float:
    """UA of a run on its own test side, which must equal what the training reported."""
    trained = json.loads((smoke.folder / run / "metrics.json").read_text())
    ua = smoke.read("ser-evaluate", run)["test"]["emotion"]["ua"]
    check("UA of the evaluation", ua, trained["test"]["emotion"]["ua"])
    return float(ua)


def main() -> None:
    """Run the smoke test; print the steps and the digest of the store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compare", type=Path, metavar="OTHER_PYTHON", help="Python of another environment")
    other = parser.parse_args().compare
    print(f"smoke test with Python {platform.python_version()}: {sys.executable}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ser-smoke-") as name:
        digest = run_all(Smoke(Path(sys.executable), Path(name)))
        if other is not None:
            print(f"the same store with {other}:", flush=True)
            again = json.loads(
                Smoke(other.absolute(), Path(name)).run("ser-features", *BUILD, "--out", "other.zarr")
            )
            check(f"digest of the store built with {other}", again["digest"], digest)
    print(f"smoke test with Python {platform.python_version()} is complete: {digest}")


if __name__ == "__main__":
    main()
