"""Stores from recordings to disk: 12,162 clips, which are 60 recordings under many names."""

from __future__ import annotations

import os

from featurestore import verify as verification
from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from gpu.session import Session, Tell

_CLIPS, _FEW = 12_162, 4


def build_default(session: Session, tell: Tell) -> None:
    """Build with the features of the default recipe and six views."""
    _build(session, tell, "default", session.device, session.size(_CLIPS, _FEW))


def build_all(session: Session, tell: Tell) -> None:
    """Build with all features."""
    _build(session, tell, "all", session.device, session.size(_CLIPS, _FEW), features="all")


def build_on_cpu(session: Session, tell: Tell) -> None:
    """Build with the features of the default recipe on the CPU, fewer clips."""
    _build(session, tell, "cpu", "cpu", session.size(_CLIPS // 6, _FEW))


def verify(session: Session, tell: Tell) -> None:
    """Hash and decode all objects of the store with the default features."""
    found = verification.verify(session.scratch / "default.zarr", full=True)
    tell("intact", found.ok)


def _build(
    session: Session, tell: Tell, name: str, device: str, clips: int, *, features: str | None = None
) -> None:
    root, _ = session.corpora(clips)
    os.sync()  # what linking has left to write is not the build's
    spec = SpecRequest(augment=session.size(6, 1), features=features)
    out = session.scratch / f"{name}.zarr"
    report = build(BuildRequest(out, root, f"bench={root / 'bench'}", spec, device=device))
    tell("clips/s", round(report.clips_built / report.seconds, 1))
    tell("seconds", round(report.seconds, 2))
    tell("stages", {stage: round(seconds, 2) for stage, seconds in report.stages.items()})
    tell("clips", report.clips_built)
    tell("left to soundfile", dict(report.fallbacks))
    tell("bad", len(report.bad))
