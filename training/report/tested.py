"""The result of a model, or of the mean of several, tested on a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.labels import Target
from training.audits.sentences import SharedSentences
from training.metrics.ensemble_weights import EnsembleWeights
from training.metrics.side import AnyEvaluation, AnyPredictions
from training.report.result import subject_of
from training.report.result_text import result_text
from training.report.sentences import sentence_note
from training.report.weights import weight_note
from training.report.wording import capitalise, wrap
from training.runs.run import RunRecord
from training.splits.claim import Claim


@dataclass(frozen=True, eq=False)
class Tested:
    """Result of a model, or of the mean of several, on a store."""

    records: tuple[RunRecord, ...]
    """Records of the runs; all have the same labels."""
    claim: Claim
    evaluation: AnyEvaluation
    predictions: AnyPredictions
    notices: tuple[str, ...]
    sentences: tuple[SharedSentences, ...]
    """By tested corpus; training is that of all runs."""
    members: tuple[str, ...] = ()
    """Names of the run folders, in the order of ``records``."""
    weights: EnsembleWeights | None = None
    """Of the averaged models; None: equal, or a single one."""

    @property
    def title(self) -> str:
        """``cross-corpus, speaker-independent (trained on ravdess, tested on tess)``."""
        return self.claim.title

    @property
    def subject(self) -> str:
        """Models and the corpora they were trained on."""
        models = [record.recipe.model.name for record in self.records]
        mean: Literal["mean", "weighted mean"] = "mean" if self.weights is None else "weighted mean"
        return subject_of(models, corpora_heard(self.records), mean)

    @property
    def target(self) -> Target:
        """What the models predict."""
        return self.records[0].recipe.labels.target

    @property
    def report(self) -> str:
        """The result as text."""
        remarks = [sentence_note([self.sentences], self.claim)]
        labels = self.records[0].recipe.labels
        text = result_text(self.evaluation, labels, self.claim, None, remarks=remarks)
        headline, rest = text.split("\n\n", 1)
        subject = f"{capitalise(self.subject)}."
        if self.weights is not None:
            subject += f"\n{wrap(weight_note(self.weights, self.members))}"
        return f"{headline}\n\n{subject}\n\n{rest}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``metrics.json``."""
        return {
            "title": self.title,
            "claim": self.claim.to_json(),
            "sentences": [shared.to_json() for shared in self.sentences],
            "subject": self.subject,
            "weights": None if self.weights is None else self.weights.to_json(),
            "runs": [
                {
                    "recipe": record.recipe.name,
                    "model": record.recipe.model.name,
                    "seed": record.seed,
                    "trained_on": record.store_digest,
                }
                for record in self.records
            ],
            "notices": list(self.notices),
            "test": self.evaluation.to_json(),
        }


def corpora_heard(records: Sequence[RunRecord]) -> list[str]:
    """Corpora of the speakers that the models heard in training, sorted."""
    return sorted({speaker.partition("/")[0] for record in records for speaker in record.heard})
