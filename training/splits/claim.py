"""What a result claims: under which protocol it was measured, and what training shared with the test.

Everything that judges a result reads these fields; the title is made from them, for people only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from schemas.messages.counts import choose_form
from schemas.training import InputSpec

Independence = Literal["speaker-independent", "speaker-dependent", "leaky"]
"""Whether test speakers were heard in training; ``leaky``: their very recordings were."""


@dataclass(frozen=True)
class Claim:
    """Protocol of a result and what follows from it."""

    independence: Independence
    protocol: str | None
    """As a recipe writes it, such as ``emobox`` or ``kfold:6``; None: another store was tested."""
    trained_on: tuple[str, ...]
    """Names of corpora, sorted; validation counts as training."""
    tested_on: tuple[str, ...]
    """Names of corpora, sorted."""
    crosses_corpora: bool = False
    """Whether no clip of the tested corpora was trained on."""
    normalised_by_speaker: bool = False
    """Whether any model normalised a clip with the other clips of its speaker."""
    normalised_by_corpus: bool = False
    """Whether any model normalised a clip with the other clips of its corpus."""
    fold: int | None = None
    """Number of the fold, from 1; None: the result is not of one fold."""
    folds: int | None = None
    """Number of folds of the protocol; None: it has none."""
    configurations: int | None = None
    """Number of configurations that validation speakers chose the best of, in the fold with most; None: there
    was no search."""

    @property
    def is_leaky(self) -> bool:
        """Whether views of one recording are on several sides."""
        return self.independence == "leaky"

    @property
    def is_speaker_independent(self) -> bool:
        """Whether no test speaker was heard in training."""
        return self.independence == "speaker-independent"

    @property
    def is_sentence_independent(self) -> bool:
        """Whether the protocol keeps the sentences of the test out of training."""
        return (self.protocol or "").partition(":")[0] == "speaker+sentence"

    @property
    def title(self) -> str:
        """``speaker-independent, normalised by speaker (protocol: emobox, fold 3 of 6)``."""
        kinds = [
            *(["cross-corpus"] if self.crosses_corpora else []),
            "speaker- and sentence-independent" if self.is_sentence_independent else self.independence,
            *(["normalised by speaker"] if self.normalised_by_speaker else []),
            *([self._searched(self.configurations)] if self.configurations is not None else []),
            *(["normalised by corpus"] if self.normalised_by_corpus else []),
        ]
        return f"{', '.join(kinds)} ({', '.join(self._details())})"

    def _searched(self, configurations: int) -> str:
        per_fold = " per fold" if self.folds is not None and self.folds > 1 and self.fold is None else ""
        tried = f"{configurations:,} {choose_form(configurations, 'configuration')}"
        return f"best of {tried} by validation{per_fold}"

    def _details(self) -> list[str]:
        tested = f"tested on {' and '.join(self.tested_on)}"
        if self.protocol is None:
            return [f"trained on {' and '.join(self.trained_on)}", tested]
        details = [f"protocol: {self.protocol}"]
        if self.folds is not None:
            all_folds = f"{self.folds} {choose_form(self.folds, 'fold')}"
            details.append(all_folds if self.fold is None else f"fold {self.fold} of {self.folds}")
        if self.crosses_corpora:
            details.append(tested)
        if self.is_leaky and (self.fold is not None or self.folds is None):
            details.append("views on both sides")
        return details

    def with_inputs(self, inputs: Iterable[InputSpec]) -> Claim:
        """The claim of models with these inputs: normalised by speaker or corpus if any of them is."""
        within = {spec.within for spec in inputs}
        return replace(
            self, normalised_by_speaker="speaker" in within, normalised_by_corpus="corpus" in within
        )

    def with_search(self, configurations: Iterable[int | None]) -> Claim:
        """The claim of models that were chosen among so many configurations each; None: without a search."""
        found = [count for count in configurations if count is not None]
        return replace(self, configurations=max(found, default=None))

    def to_json(self) -> dict[str, Any]:
        """Plain values, the ``claim`` of a stored result."""
        return {**asdict(self), "trained_on": list(self.trained_on), "tested_on": list(self.tested_on)}


def claim_of_folds(folds: Sequence[Claim], protocol: str) -> Claim:
    """The claim of these folds of ``protocol`` together, at least one; a fold alone keeps its number."""
    if len(folds) == 1 and folds[0].fold is not None:
        return replace(folds[0], protocol=protocol)
    return replace(
        folds[0],
        protocol=protocol,
        trained_on=tuple(sorted({name for fold in folds for name in fold.trained_on})),
        tested_on=tuple(sorted({name for fold in folds for name in fold.tested_on})),
        fold=None,
        folds=len(folds),
    ).with_search([fold.configurations for fold in folds])
