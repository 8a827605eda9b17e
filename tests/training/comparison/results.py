"""Results with given answers, without training."""

from __future__ import annotations

import numpy as np

from schemas.labels import Target
from schemas.labels_spec import LabelsSpec
from training.metrics.predictions import Predictions
from training.metrics.side import AnyPredictions
from training.report.differences.record import ComparedResult, Member
from training.splits.claim import Claim

NAMES = ("happy", "sad")
LABELS = LabelsSpec(set="own", map={name: name for name in NAMES}, target=Target.EMOTION)
CLAIM = Claim("speaker-independent", "kfold:2", ("demo",), ("demo",), folds=2)


def result(predictions: AnyPredictions, name: str = "one", claim: Claim = CLAIM) -> ComparedResult:
    """A result of one run with these predictions."""
    member = Member(name, "run", seed=0, store_digest="sha256:store", predictions_sha256="0" * 64)
    labels = LABELS if isinstance(predictions, Predictions) else LabelsSpec(target=Target.REGRESSION)
    return ComparedResult(name, "model lda, trained on demo", claim, labels, predictions, (member,))


def answers(right: np.ndarray, clips: int = 20) -> Predictions:
    """Of each speaker, ``clips`` clips, half of each class; ``right`` (speakers,): how many are recognised.

    The clips that are recognised are spread evenly over the classes.
    """
    speakers = len(right)
    true = np.tile(np.arange(clips) % 2, speakers)
    is_right = np.concatenate([np.arange(clips) < count for count in right])
    predicted = np.where(is_right, true, 1 - true)
    return Predictions(
        classes=NAMES,
        clip_id=tuple(f"demo/{s:02d}-{c:02d}" for s in range(speakers) for c in range(clips)),
        view=np.zeros(speakers * clips, dtype=np.int64),
        dataset=("demo",) * (speakers * clips),
        speaker=tuple(f"demo/{s:02d}" for s in range(speakers) for _ in range(clips)),
        gender=tuple("female" if s % 2 else "male" for s in range(speakers) for _ in range(clips)),
        true=true,
        probabilities=np.eye(2, dtype=np.float32)[predicted],
    )
