"""One view of each kind, with a fixed value and with one that is drawn per clip."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.spec import StorageSpec, StoreSpec
from schemas.views import NoiseSpec, PitchSpec, ShiftSpec, SpeedSpec, StretchSpec, ViewSpec

FIXED: tuple[ViewSpec, ...] = (
    NoiseSpec(name="noise", snr_db=15.0),
    PitchSpec(name="pitch", semitones=2.0),
    ShiftSpec(name="shift", fraction=0.2),
    SpeedSpec(name="speed", factor=1.1),
    StretchSpec(name="stretch", factor=0.9),
)
DRAWN: tuple[ViewSpec, ...] = (
    NoiseSpec(name="noises", snr_db=(5.0, 30.0)),
    PitchSpec(name="pitches", semitones=(-2.0, 2.0)),
    ShiftSpec(name="shifts", fraction=(-0.3, 0.3)),
    SpeedSpec(name="speeds", factor=(0.9, 1.1)),
    StretchSpec(name="stretches", factor=(0.9, 1.1)),
)


def with_views(spec: StoreSpec, views: Sequence[ViewSpec], **storage: str) -> StoreSpec:
    """The specification with other views, and with this storage."""
    stored = StorageSpec.model_validate(storage)
    return StoreSpec.model_validate({**spec.model_dump(), "views": tuple(views), "storage": stored})
