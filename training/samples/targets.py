"""Targets: class indices from the manifest's emotions and genders, and back to emotions. No torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RunError
from schemas.labels import LABEL_SETS, UNKNOWN_EMOTION, Gender, LabelSet, Target, sort_emotions
from schemas.messages.counts import choose_form
from training.samples.selection import ImportedValues, Selection

if TYPE_CHECKING:
    import pandas as pd

NO_CLASS = -1
"""Target of a clip that is left out."""

_GENDERS = (Gender.FEMALE, Gender.MALE)


@dataclass(frozen=True, eq=False)
class Targets:
    """Class of every clip of a manifest, in its order.

    ``classes`` (clips,) int64 holds class indices, :data:`NO_CLASS` for clips that are left out; ``names``
    are the class names in index order. The counts say why clips were left out; each clip is counted once.
    """

    names: tuple[str, ...]
    classes: NDArray[np.int64]
    selection: Selection
    other_emotion: int
    unknown_gender: int
    unused: tuple[str, ...] = ()
    """Emotions of the label set that no clip has which could be trained on, if the label set is a recipe's
    own map."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(clips,) bool: which clips have a class."""
        kept: NDArray[np.bool_] = self.classes != NO_CLASS
        return kept

    @property
    def of_clips(self) -> NDArray[np.int64]:
        """What is learnt of each clip: its class."""
        return self.classes

    @property
    def notices(self) -> tuple[str, ...]:
        """One sentence per reason why clips were left out."""
        total = len(self.classes)
        left_out = left_out_notices(
            total,
            (
                *self.selection.reasons,
                (self.other_emotion, "with an emotion that is not in the label set"),
                (self.unknown_gender, "from speakers of unknown gender"),
            ),
        )
        unused = (f"the label map names {', '.join(self.unused)}, but no clip has this emotion",)
        return (*left_out, *(unused if self.unused else ()))


def left_out_notices(total: int, reasons: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """One sentence per reason, a number of ``total`` clips and why they were left out; none for 0."""
    return tuple(f"left out {n} of {total} {choose_form(total, 'clip')}: {why}" for n, why in reasons if n)


def candidates(
    manifest: pd.DataFrame, where: str | None = None, datasets: Collection[str] | None = None
) -> pd.DataFrame:
    """Usable clips of the corpora ``datasets`` that match ``where``. Raises :class:`UsageError` if ``where``
    is not a valid query.
    """
    return manifest[Selection.of(manifest, where, datasets).met]


def given_emotions(clips: pd.DataFrame) -> tuple[str, ...]:
    """Emotions that the corpora of ``clips`` give them, in the order of tables.

    Without the unknown one of clips that only have ratings.
    """
    given = (clips["emotion"] != UNKNOWN_EMOTION) | (clips["label"] != "")
    return sort_emotions(clips["emotion"][given].unique())


def targets_of(
    manifest: pd.DataFrame,
    labels: LabelSet,
    target: Target,
    where: str | None = None,
    datasets: Collection[str] | None = None,
    imported: ImportedValues | None = None,
) -> Targets:
    """Class of every clip of ``manifest`` under a label set and target.

    Clips that do not match ``where``, clips outside the corpora ``datasets``, and clips without values of
    ``imported`` features have no class.

    Gender × emotion classes are female first: index = gender · emotions + emotion. Raises :class:`RunError`
    if no clip is left, :class:`UsageError` if ``where`` is not a valid query.
    """
    index_of = {str(source): labels.classes.index(kept) for source, kept in labels.rule.items()}
    emotion = manifest["emotion"].map(index_of).fillna(NO_CLASS).to_numpy(dtype=np.int64)
    selection = Selection.of(manifest, where, datasets, imported)
    met = selection.met
    kept = met & (emotion != NO_CLASS)
    known = np.ones(len(manifest), dtype=bool)
    classes = emotion
    if target is Target.GENDER_EMOTION:
        gender_of = {str(name): i for i, name in enumerate(_GENDERS)}
        gender = manifest["gender"].map(gender_of).fillna(NO_CLASS).to_numpy(dtype=np.int64)
        known = gender != NO_CLASS
        classes = gender * len(labels.classes) + emotion
    found = Targets(
        names=labels.class_names(target),
        classes=np.where(kept & known, classes, NO_CLASS),
        selection=selection,
        other_emotion=int((met & ~kept).sum()),
        unknown_gender=int((kept & ~known).sum()),
        unused=()
        if labels.name in LABEL_SETS
        else tuple(sorted(set(labels.rule) - set(manifest["emotion"][met]))),
    )
    if not (found.classes != NO_CLASS).any():
        why = "; ".join(found.notices) or "the store is empty"
        raise RunError(
            f"no clips are left for label set '{labels.name}' and target '{target}' ({why})"
            f"{_remedy(found, where, given_emotions(manifest[met]))}"
        )
    return found


def _remedy(found: Targets, where: str | None, emotions: Sequence[str]) -> str:
    """How to bring back the clips left out for the most frequent reason; empty if there is no such step.

    ``emotions`` are those of the clips whose emotion is not in the label set, or whose gender is unknown.
    """
    other = f"; the clips are {', '.join(emotions)}: train on all of them with --set labels.set=all"
    if not emotions:
        other = (
            "; their corpus gives no clip an emotion: train on ratings, if it has any, with --set "
            "labels.target=regression"
        )
    remedies = {
        "": (found.selection.bad, found.selection.other_corpus, found.selection.lacking),
        f"; loosen the query {where!r}": (found.selection.unmet,),
        other: (found.other_emotion,),
        "; add the speakers' genders to corpus.toml and build again, or train with --set "
        "labels.target=emotion": (found.unknown_gender,),
    }
    return max(remedies, key=lambda remedy: max(remedies[remedy]))


def emotion_marginal(
    probabilities: NDArray[np.float64], labels: LabelSet, target: Target
) -> NDArray[np.float64]:
    """Probabilities of the emotions: gender × emotion summed over genders.

    ``probabilities`` (clips, classes) → (clips, emotions); unchanged if the target is emotion.
    """
    if target is Target.EMOTION:
        return probabilities
    by_gender = probabilities.reshape(len(probabilities), len(_GENDERS), len(labels.classes))
    return np.asarray(by_gender.sum(axis=1))
