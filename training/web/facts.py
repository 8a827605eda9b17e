"""Facts shown to visitors: the model's test result, its training data, and the limits of its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.registry import find_corpus, is_acted
from schemas.errors import RunError
from schemas.messages.counts import choose_form
from training.predict.predictor import Predictor
from training.predict.worth import Worth
from training.report.wording import percent

CAVEAT = (
    "The percentages show how the model divides its confidence among the emotions it was trained on. They do "
    "not show how strongly the speaker feels an emotion, and they are not the chance that the model is right."
)
"""What the probabilities do not mean."""

_DO_NOT_JUDGE = "Do not use it to judge people."
_PORTRAYED = f"Its classes are emotions that actors were asked to portray. {_DO_NOT_JUDGE}"


@dataclass(frozen=True)
class Facts:
    """Facts about a run's model, as sentences."""

    model: str
    worth: str
    """Title of the test's protocol."""
    ua: str
    """``UA 49.6 % (95 % interval 42.9 to 57.1)``, or without an interval."""
    warning: str | None
    """Warning to show with the result; None if it is speaker-independent."""
    learnt_from: str
    emotions: tuple[str, ...]
    window_s: float

    @classmethod
    def of(cls, run: Path, predictor: Predictor) -> Facts:
        """Facts about the run at ``run``. Raises :class:`RunError` if it has no result."""
        worth = Worth.of(run)
        if worth is None:
            raise RunError(
                f"{run} has no metrics.json, so the quality of its predictions is unknown; finish it with "
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
        return f"UA {percent(worth.value)} (no interval: too few test speakers)"
    return (
        f"UA {percent(worth.value)} ({100 * worth.level:.0f} % interval "
        f"{100 * worth.low:.1f} to {100 * worth.high:.1f})"
    )


def _learnt_from(heard: tuple[str, ...]) -> str:
    """Sentences about the corpora of speakers called ``corpus/name`` and their kind of speech."""
    names = sorted({speaker.partition("/")[0] for speaker in heard})
    found = {name: find_corpus(name) for name in names}
    titles = "; ".join(
        corpus.title if corpus else f"{name} (a custom corpus)" for name, corpus in found.items()
    )
    count = len(heard)
    people = f"{count} {choose_form(count, 'speaker')}"
    if names == ["demo"]:
        return f"Trained on {people}: {titles}. It was never trained on human speech."
    kind = "acted speech" if all(map(is_acted, names)) else "speech"
    portrayed = _PORTRAYED if kind == "acted speech" else _DO_NOT_JUDGE
    return (
        f"Trained on {kind} from {people}: {titles}. Expect lower accuracy on spontaneous speech, other "
        f"languages and other microphones. {portrayed}"
    )
