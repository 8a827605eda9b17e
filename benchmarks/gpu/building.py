"""Stores from recordings to disk: 12,162 clips, which are 60 recordings under many names."""

from __future__ import annotations

import os
from typing import Any

from gpu.session import Session, Tell

_CLIPS, _FEW = 12_162, 4
_KEPT = ("clips_built", "seconds", "stages", "fallbacks", "bad")


def build_default(session: Session, tell: Tell) -> None:
    """Build with the features of the default recipe and six views."""
    _build(session, tell, "default", session.device, session.size(_CLIPS, _FEW))


def build_all(session: Session, tell: Tell) -> None:
    """Build with all features."""
    _build(session, tell, "all", session.device, session.size(_CLIPS, _FEW), "--features", "all")


def build_on_cpu(session: Session, tell: Tell) -> None:
    """Build with the features of the default recipe on the CPU, fewer clips."""
    _build(session, tell, "cpu", "cpu", session.size(_CLIPS // 6, _FEW))


def verify(session: Session, tell: Tell) -> None:
    """Hash and decode all objects of the store with the default features."""
    out = session.scratch / "default.zarr"
    found = session.command("features", "verify", str(out), "--full")
    tell("verify", {name: value for name, value in found.items() if not isinstance(value, list)})


def _build(session: Session, tell: Tell, name: str, device: str, clips: int, *options: str) -> None:
    root, _ = session.corpora(clips)
    os.sync()  # what linking has left to write is not the build's
    report: dict[str, Any] = session.command(
        *("features", "build", "--datasets", f"bench={root / 'bench'}", "--corpora", str(root)),
        *("--out", str(session.scratch / f"{name}.zarr"), "--device", device),
        *("--augment", str(session.size(6, 1)), *options),
    )
    tell("clips/s", round(report["clips_built"] / report["seconds"], 1))
    for figure in _KEPT:
        value = report[figure]
        tell(figure, len(value) if figure == "bad" else value)
