"""Result of a training run, and its plain values for ``metrics.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.messages.counts import choose_form
from training.audits.audit import Audit
from training.metrics.side import AnyEvaluation, AnyPredictions
from training.metrics.temperature import TemperatureEffect
from training.models.layer_weights import LayerShares
from training.report.explanation import Explanation
from training.runs.observer import AnyEpochResult, SideSize
from training.runs.run import RunFolder, RunRecord
from training.splits.claim import Claim
from training.splits.side import Side
from training.splits.split import Split
from training.splits.split_document import ValidationBy

FITTED = "train + validation, trained on"
"""Row of tables of sides for what a model is trained on after a search."""


@dataclass(frozen=True)
class RunResult:
    """Result of a training run."""

    folder: RunFolder
    record: RunRecord
    claim: Claim
    test: AnyEvaluation
    validation: AnyEvaluation
    best_epoch: int | None
    """None for a model without epochs."""
    history: tuple[AnyEpochResult, ...]
    """Empty for a model without epochs."""
    sides: Mapping[Side, SideSize]
    corpora: Mapping[Side, tuple[str, ...]]
    """Names of the corpora on each side, sorted."""
    audit: Audit
    notices: tuple[str, ...]
    report: str
    """The result as text."""
    predictions: AnyPredictions | None = None
    """Predictions for the test clips, as in ``predictions.csv``; None: not kept."""
    validation_predictions: AnyPredictions | None = None
    """Predictions for the validation clips, as in ``validation.csv``; None: not kept."""
    parameters: int | None = None
    """Number of trained parameters; None: not counted."""
    temperature: TemperatureEffect | None = None
    """None for a model without a temperature."""
    layer_shares: tuple[LayerShares, ...] = ()
    """What a network has learnt about the layers of encoders; empty if it weighs none."""
    validation_by: ValidationBy = "speaker"
    """What validation does not share with training."""
    explanation: Explanation | None = None
    """What the model listens to; None: not measured."""
    split: Split | None = None
    """None: not kept."""
    speakers: Mapping[Side, tuple[str, ...]] = field(default_factory=dict)
    """Names of the speakers on each side, sorted; empty: not kept."""
    fitted: SideSize | None = None
    """What the model is trained on, if a search chose the recipe; None: the training side."""

    @property
    def title(self) -> str:
        """Protocol as reports print it: ``speaker-independent (protocol: speaker)``."""
        return self.claim.title

    @property
    def subject(self) -> str:
        """Model and what it was trained on: ``model A, trained on ravdess and tess``."""
        return subject_of([self.record.recipe.model.name], self.corpora["train"])

    @property
    def ending(self) -> str:
        """Why training ended: ``12 epochs: stopped early, after 5 without a lower validation loss``."""
        spec, epochs = self.record.recipe.train, len(self.history)
        if self.best_epoch is None:
            return "no epochs: solved in one step"
        counted = f"{epochs} {choose_form(epochs, 'epoch')}"
        if spec.patience is not None and epochs - self.best_epoch >= spec.patience:
            better = {"loss": "a lower validation loss", "wa": "a higher validation WA"}.get(
                spec.monitor, "a higher validation UA"
            )
            return f"{counted}: stopped early, after {spec.patience} without {better}"
        return f"{counted}: the limit was reached"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``metrics.json``, without times and paths: equal for equal runs."""
        recipe = self.record.recipe
        return {
            "protocol": self.audit.protocol,
            "title": self.title,
            "claim": self.claim.to_json(),
            "sentences": [shared.to_json() for shared in self.audit.sentences],
            "recipe": recipe.name,
            "model": recipe.model.name,
            "parameters": self.parameters,
            **self._layers_json(),
            "store_digest": self.record.store_digest,
            "seed": self.record.seed,
            "views": list(recipe.train.views or ()),
            "monitor": recipe.train.monitor,
            "best_epoch": self.best_epoch,
            "epochs": len(self.history),
            "temperature": None if self.temperature is None else self.temperature.to_json(),
            "test": self.test.to_json(),
            "validation": self.validation.to_json(),
        }

    def _layers_json(self) -> dict[str, Any]:
        """``layer_weights``, if the model has them: feature → layer → weight."""
        named = {
            shares.feature: dict(zip(map(str, shares.layers), shares.weights, strict=True))
            for shares in self.layer_shares
        }
        return {"layer_weights": named} if named else {}


def subject_of(
    models: Sequence[str], corpora: Sequence[str], mean: Literal["mean", "weighted mean"] = "mean"
) -> str:
    """Models and their training corpora: ``model A, trained on ravdess and tess``.

    For several models: ``mean of 4 models (functionals-mlp × 3, functionals-lda), trained on ravdess``.
    """
    *others, last = corpora
    named = f"{', '.join(others)} and {last}" if others else last
    if len(models) == 1:
        return f"model {models[0]}, trained on {named}"
    counted = (f"{name} × {n}" if n > 1 else name for name, n in Counter(models).items())
    return f"{mean} of {len(models)} models ({', '.join(counted)}), trained on {named}"
