"""Claims of results that no training measured."""

from __future__ import annotations

from training.splits.claim import Claim, Independence


def claim(
    independence: Independence = "speaker-independent",
    protocol: str | None = "speaker",
    *,
    trained_on: tuple[str, ...] = ("ravdess", "tess"),
    tested_on: tuple[str, ...] = ("tess",),
    crosses_corpora: bool = False,
    normalised_by_speaker: bool = False,
    fold: int | None = None,
    folds: int | None = None,
) -> Claim:
    """A claim, as good as it can be where nothing else is given."""
    return Claim(
        independence,
        protocol,
        trained_on,
        tested_on,
        crosses_corpora=crosses_corpora,
        normalised_by_speaker=normalised_by_speaker,
        fold=fold,
        folds=folds,
    )
