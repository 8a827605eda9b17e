"""Assemble a :class:`~training.splits.split.Split` from the side of each clip."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from schemas.protocol import SplitSpec
from training.splits.side import Side
from training.splits.split import Fold, Split, digests
from training.splits.split_document import ValidationBy


@dataclass(frozen=True)
class Draw:
    """Parameters of a draw: the protocol's numbers, the seed, and the digest of the store being split."""

    spec: SplitSpec
    seed: int
    store_digest: str = ""


def assemble(
    usable: pd.DataFrame,
    sides: pd.Series,
    draw: Draw,
    *,
    stratified_by: tuple[str, ...],
    validation_by: ValidationBy = "speaker",
    fold: Fold | None = None,
    shares_speakers: bool = False,
) -> Split:
    """Split the ``usable`` clips; ``sides`` gives the one side of each, on the same index."""

    def of(side: Side) -> tuple[str, ...]:
        return tuple(sorted(usable["clip_id"][sides == side]))

    return Split(
        protocol=draw.spec.protocol,
        seed=draw.seed,
        store_digest=draw.store_digest,
        stratified_by=stratified_by,
        train=of("train"),
        validation=of("validation"),
        test=of("test"),
        audio_sha256=digests(usable),
        fold=fold,
        validation_by=validation_by,
        shares_speakers=shares_speakers,
    )
