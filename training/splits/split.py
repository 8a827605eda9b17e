"""A split: the clips of training, validation and test, how they were drawn, and their recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.clip import Status
from schemas.errors import RunError
from schemas.protocol import Protocol
from training.splits.claim import Claim, Independence
from training.splits.side import SIDES, Side
from training.splits.split_document import SplitDocument, ValidationBy

_NO_NEW_SPEAKERS: Mapping[ValidationBy, str] = {
    "sentence": "too few speakers are left for a validation side of its own speakers: validation clips are "
    "from the training speakers, but of sentences that are not in training",
    "clip": "too few speakers are left for a validation side of its own speakers, and the corpus does not "
    "identify its sentences: validation clips are from the training speakers",
}

_SHARED_SPEAKERS = (
    "the folds of EmoBox have the same speakers, or unknown ones, in training and test: the result is "
    "speaker-dependent"
)


@dataclass(frozen=True)
class Fold:
    """Which of a protocol's splits this is. ``index`` counts from 1; ``name`` names the test speakers."""

    index: int
    count: int
    name: str


@dataclass(frozen=True)
class Split:
    """Clip ids of the three sides, each sorted, and how they were drawn.

    ``stratified_by`` names the manifest columns that clips were stratified by; if there are too few speakers,
    these are fewer than corpus and gender. ``audio_sha256`` is the hash of each clip's recording when the
    split was made, so that later changes are detected. Unless the protocol is ``random`` or
    ``shares_speakers`` is set, the test shares no speakers with the other sides; ``validation_by`` says what
    validation does not share with training.

    ``views`` is set if views were drawn too: side → clip id → view indices. A clip may then be on several
    sides.
    """

    protocol: Protocol
    seed: int
    store_digest: str
    stratified_by: tuple[str, ...]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    audio_sha256: Mapping[str, str]
    fold: Fold | None = None
    validation_by: ValidationBy = "speaker"
    views: Mapping[Side, Mapping[str, tuple[int, ...]]] | None = None
    shares_speakers: bool = False
    """Whether the sides are published ones that have speakers in common, in this fold or another."""

    @property
    def admits_speakers(self) -> bool:
        """Whether a speaker may be on several sides."""
        return self.protocol == "random" or self.shares_speakers

    @property
    def independence(self) -> Independence:
        """Whether a result under this split holds for new speakers."""
        if not self.admits_speakers:
            return "speaker-independent"
        return "speaker-dependent" if self.views is None else "leaky"

    @property
    def claim(self) -> Claim:
        """What a result under this split claims, whatever the model's input."""
        return Claim(
            independence=self.independence,
            protocol=self.protocol,
            trained_on=_corpora((*self.train, *self.validation)),
            tested_on=_corpora(self.test),
            crosses_corpora=self.protocol == "cross-corpus",
            fold=None if self.fold is None else self.fold.index,
            folds=None if self.fold is None else self.fold.count,
        )

    @property
    def title(self) -> str:
        """Protocol as reports print it: ``speaker-independent (protocol: speaker)``."""
        return self.claim.title

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about what the split had to do without."""
        if self.shares_speakers:
            return (_SHARED_SPEAKERS,)
        if self.validation_by != "speaker":
            return (_NO_NEW_SPEAKERS[self.validation_by],) if self.protocol != "random" else ()
        if self.protocol == "random" or self.stratified_by == ("dataset", "gender"):
            return ()
        within = "within each corpus" if self.stratified_by else "from all corpora together"
        return (f"too few speakers to stratify by corpus and gender: they were drawn {within}",)

    def side(self, name: Side) -> tuple[str, ...]:
        """Clip ids of one side."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def positions(self, manifest: pd.DataFrame, name: Side) -> NDArray[np.int64]:
        """Rows in ``manifest`` of the clips of one side, (n,) int64, ascending."""
        return np.flatnonzero(manifest["clip_id"].isin(self.side(name)).to_numpy()).astype(np.int64)

    def view_positions(
        self, manifest: pd.DataFrame, name: Side
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows in ``manifest`` and views of one side's samples, (n,) int64 each, view by view.

        If :attr:`views` is None, these are the original views of all clips.
        """
        positions = self.positions(manifest, name)
        if self.views is None:
            return positions, np.zeros(len(positions), dtype=np.int64)
        of_side = self.views[name]
        drawn = [of_side[clip] for clip in manifest["clip_id"].to_numpy()[positions]]
        clips = np.repeat(positions, [len(views) for views in drawn])
        views = np.array([view for views in drawn for view in views], dtype=np.int64)
        order = np.lexsort((clips, views))
        return clips[order], views[order]

    def changed(self, manifest: pd.DataFrame) -> tuple[str, ...]:
        """Clips of the split that are missing from ``manifest``, bad, or another recording; sorted."""
        now = digests(manifest[manifest["status"] == Status.OK])
        return tuple(sorted(clip for clip, digest in self.audio_sha256.items() if now.get(clip) != digest))

    def require_unchanged(self, manifest: pd.DataFrame) -> None:
        """Raise :class:`RunError` if :meth:`changed` names any clips."""
        changed = self.changed(manifest)
        if changed:
            named = f"{', '.join(changed[:3])}{', …' if len(changed) > 3 else ''}"
            raise RunError(
                f"the split does not fit the store: {len(changed):,} of its {len(self.audio_sha256):,} "
                f"clips are missing, bad, or another recording ({named}); use a store of the same "
                "recordings, or make a new split"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values; :meth:`from_json` gives an equal split."""
        value: dict[str, Any] = {
            "format": 1,
            "protocol": self.protocol,
            "fold": asdict(self.fold) if self.fold else None,
            "seed": self.seed,
            "store_digest": self.store_digest,
            "stratified_by": list(self.stratified_by),
            "validation_by": self.validation_by,
            "train": self._hashes("train"),
            "validation": self._hashes("validation"),
            "test": self._hashes("test"),
        }
        if self.shares_speakers:
            value["shares_speakers"] = True
        if self.views is not None:
            value["views"] = {
                name: {clip: list(views) for clip, views in self.views[name].items()} for name in SIDES
            }
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Split from the values of :meth:`to_json`. Raises :class:`RunError` if they are not a split."""
        return cls._of(SplitDocument.of(value))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the split of a file or of a run's folder; raises what :meth:`SplitDocument.read` raises."""
        return cls._of(SplitDocument.read(path))

    def _hashes(self, name: Side) -> dict[str, str]:
        return {clip: self.audio_sha256[clip] for clip in self.side(name)}

    @classmethod
    def _of(cls, document: SplitDocument) -> Self:
        fold = document.fold
        sides = {name: tuple(sorted(clips)) for name, clips in document.sides.items()}
        views = document.views
        return cls(
            protocol=document.protocol,
            seed=document.seed,
            store_digest=document.store_digest,
            stratified_by=document.stratified_by,
            train=sides["train"],
            validation=sides["validation"],
            test=sides["test"],
            audio_sha256=dict(sorted({**document.train, **document.validation, **document.test}.items())),
            fold=None if fold is None else Fold(fold.index, fold.count, fold.name),
            validation_by=document.validation_by,
            views=views and {name: {clip: views[name][clip] for clip in sides[name]} for name in SIDES},
            shares_speakers=document.shares_speakers,
        )


def digests(usable: pd.DataFrame) -> dict[str, str]:
    """Hash of the recording by clip id, sorted; empty if the store has no hash."""
    hashes = usable["audio_sha256"].astype(object).where(usable["audio_sha256"].notna(), "")
    return dict(sorted(zip(usable["clip_id"], hashes, strict=True)))


def _corpora(clips: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({clip.split("/")[0] for clip in clips}))
