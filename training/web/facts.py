"""What a visitor is told of a model: what it is worth, what it learnt from, what its answers are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.registry import BUILT_IN, find_corpus
from schemas.errors import RunError
from training.predict.predictor import Predictor
from training.predict.worth import Worth
from training.report.wording import percent

NOT = (
    "The percentages are the model's, not the speaker's: how it shares its belief among the emotions that it "
    "knows, not how strongly an emotion is felt, and not the chance of being right."
)
"""What the probabilities are not."""

_PORTRAYED = "The classes are what actors were asked to portray. Do not judge persons by it."


@dataclass(frozen=True)
class Facts:
    """Sentences about a run's model."""

    model: str
    worth: str
    """Protocol."""
    ua: str
    """``UA 49.6 % (95 % interval 42.9 to 57.1)``, or that there is none."""
    warning: str | None
    """What must be read beside the result; None where it is speaker-independent alone."""
    learnt_from: str
    emotions: tuple[str, ...]
    window_s: float

    @classmethod
    def of(cls, run: Path, predictor: Predictor) -> Facts:
        """Facts of the run at ``run``. Raises :class:`RunError` where it has no result that can be shown."""
        worth = Worth.of(run)
        if worth is None:
            raise RunError(
                f"{run} has no metrics.json: nobody knows what its answers are worth; finish it with "
                f"ser-train --resume {run}"
            )
        return cls(
            model=predictor.record.recipe.model.name,
            worth=worth.claim.title,
            ua=_ua(worth),
            warning=worth.warning,
            learnt_from=_learnt_from(predictor.record.heard),
            emotions=predictor.emotions,
            window_s=predictor.window_s,
        )


def _ua(worth: Worth) -> str:
    if worth.low is None or worth.high is None or worth.level is None:
        return f"UA {percent(worth.ua)} (no interval: too few test speakers)"
    return (
        f"UA {percent(worth.ua)} ({100 * worth.level:.0f} % interval "
        f"{100 * worth.low:.1f} to {100 * worth.high:.1f})"
    )


def _learnt_from(heard: tuple[str, ...]) -> str:
    """Corpora of speakers called ``corpus/name``, and what their speech is."""
    names = sorted({speaker.partition("/")[0] for speaker in heard})
    found = {name: find_corpus(name) for name in names}
    titles = "; ".join(
        corpus.title if corpus else f"{name}, a corpus of one's own" for name, corpus in found.items()
    )
    count = len(heard)
    people = f"{count} speaker{'' if count == 1 else 's'}"
    if names == ["demo"]:
        return f"Learnt from {people}: {titles}. It has never heard a person."
    kind = "acted speech" if all(name in BUILT_IN for name in names) else "speech"
    portrayed = f" {_PORTRAYED}" if kind == "acted speech" else " Do not judge persons by it."
    return (
        f"Learnt from {kind} of {people}: {titles}. Expect less on spontaneous speech, other languages "
        f"and other microphones.{portrayed}"
    )
