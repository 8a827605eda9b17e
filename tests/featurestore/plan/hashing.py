"""Which recordings a process reads again to hash a corpus."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

from schemas.clip import Clip, Scan
from schemas.labels import Emotion, Gender

REPOSITORY = Path(__file__).resolve().parents[3]
HOUR_S = 3600

WATCHED = """
import json, os, pickle, sys, time
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from featurestore.progress import Silent
from featurestore.plan.recordings import hash_recordings
scan, trust, now_ns = pickle.load(sys.stdin.buffer)
time.time_ns = lambda: now_ns
clips = hash_recordings(scan, Silent(), trust=trust)
read = sorted(os.path.basename(name) for name in opened if name.startswith(str(scan.root)))
print(json.dumps([read, {clip.clip.path: clip.audio_sha256 for clip in clips}]))
"""


def scan_corpus(root: Path) -> Scan:
    """A scan of the files of a folder, in another order than that of their names."""
    clips = [
        Clip(f"x/{path.stem}", "x", path.name, "x/1", Gender.UNKNOWN, Emotion.SAD, "sad")
        for path in sorted(root.iterdir(), reverse=True)
    ]
    return Scan("x", root, tuple(clips))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_again(root: Path, after_s: float = HOUR_S, *, trust: bool = True) -> list[str]:
    """Names of the files that a new process opens to hash the corpus, so long after its last change.

    After an hour all is settled. The hashes must be right whatever is read.
    """
    now_ns = max(path.stat().st_ctime_ns for path in root.iterdir()) + round(after_s * 1e9)
    run = subprocess.run(
        [sys.executable, "-c", WATCHED],
        input=pickle.dumps((scan_corpus(root), trust, now_ns)),
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
    )
    read, hashes = json.loads(run.stdout)
    assert hashes == {path.name: sha256(path) for path in root.iterdir()}
    return list(read)
