"""Splits of clips by speaker: nobody who is heard in training is tested on.

The split is made over all usable clips of a store, before views and before labels, so that models
with different label sets are compared on the same speakers. Reads a manifest alone; no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd

from schemas.clip import Status
from schemas.errors import RunError, SplitError
from schemas.protocol import SplitSpec
from training.samples import SIDES, Side

PROTOCOL_TITLES: Mapping[str, str] = MappingProxyType({"speaker": "speaker-independent"})
"""What a protocol's result is called in front of people."""

_TRAIN, _VALIDATION, _TEST = SIDES


@dataclass(frozen=True)
class Split:
    """Clip ids of the three sides, each sorted, and what they were made from.

    ``stratified_by`` names the manifest columns within which speakers were drawn: fewer than corpus
    and gender where there are too few speakers. ``audio_sha256`` is the hash of each clip's recording
    when the split was made, so that a clip that changed later is noticed.
    """

    protocol: str
    seed: int
    store_digest: str
    stratified_by: tuple[str, ...]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    audio_sha256: Mapping[str, str]

    @property
    def title(self) -> str:
        """Protocol as it stands beside every result: ``speaker-independent (protocol: speaker)``."""
        return f"{PROTOCOL_TITLES.get(self.protocol, self.protocol)} (protocol: {self.protocol})"

    def side(self, name: Side) -> tuple[str, ...]:
        """Clip ids of one side."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def positions(self, manifest: pd.DataFrame, name: Side) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(n,) int64, ascending: where the clips of one side stand in ``manifest``."""
        return np.flatnonzero(manifest["clip_id"].isin(self.side(name)).to_numpy()).astype(np.int64)

    def changed(self, manifest: pd.DataFrame) -> tuple[str, ...]:
        """Clips of the split that ``manifest`` lacks, calls bad or holds another recording for, sorted."""
        now = _digests(manifest[manifest["status"] == Status.OK])
        return tuple(sorted(clip for clip, digest in self.audio_sha256.items() if now.get(clip) != digest))

    def to_json(self) -> dict[str, Any]:
        """Plain values; :meth:`from_json` gives an equal split."""
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "store_digest": self.store_digest,
            "stratified_by": list(self.stratified_by),
            **{name: {clip: self.audio_sha256[clip] for clip in self.side(name)} for name in SIDES},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Split from :meth:`to_json`. Raises :class:`RunError` where ``value`` is not one."""
        try:
            sides = {name: dict(value[name]) for name in SIDES}
            return cls(
                protocol=str(value["protocol"]),
                seed=int(value["seed"]),
                store_digest=str(value["store_digest"]),
                stratified_by=tuple(value["stratified_by"]),
                train=tuple(sides["train"]),
                validation=tuple(sides["validation"]),
                test=tuple(sides["test"]),
                audio_sha256={clip: digest for side in sides.values() for clip, digest in side.items()},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"split.json is not a split: {error!r}; start a new run") from error


def speaker_split(manifest: pd.DataFrame, spec: SplitSpec, seed: int, store_digest: str = "") -> Split:
    """Speakers of each corpus and gender drawn into training, validation and test.

    Of n speakers in a stratum, ``round(share · n)`` but at least one go to test (n ≥ 2) and to
    validation (n ≥ 3); the rest, at least one, train. Where a side stays empty that way, genders are
    drawn together, then corpora too. Speakers of whom recordings are identical count as one. The draw
    in one stratum does not depend on the others: adding a corpus moves no speaker of another.

    Parameters
    ----------
    manifest : DataFrame
        Columns of :data:`schemas.clip.MANIFEST_SCHEMA`. Clips that are bad are on no side.
    store_digest : str
        Kept in the split.

    Raises
    ------
    SplitError
        If three sides cannot be filled.
    """
    usable = manifest[manifest["status"] == Status.OK]
    people = _people(usable)
    for columns in (("dataset", "gender"), ("dataset",), ()):
        side_of = _draw(people, columns, spec, seed)
        if set(side_of.values()) == set(SIDES):
            break
    else:
        raise SplitError(_too_few(usable, people))
    sides = usable["speaker"].map(side_of)
    return Split(
        protocol=spec.protocol,
        seed=seed,
        store_digest=store_digest,
        stratified_by=columns,
        train=_sorted(usable["clip_id"][sides == "train"]),
        validation=_sorted(usable["clip_id"][sides == "validation"]),
        test=_sorted(usable["clip_id"][sides == "test"]),
        audio_sha256=_digests(usable),
    )


@dataclass(frozen=True)
class _Person:
    """Speakers that must stay together, and the stratum they count in."""

    speakers: tuple[str, ...]
    dataset: str
    gender: str


def _people(usable: pd.DataFrame) -> tuple[_Person, ...]:
    """Speakers, joined where any of their recordings are identical; sorted by first speaker."""
    parent = {speaker: speaker for speaker in sorted(usable["speaker"].unique())}

    def root(speaker: str) -> str:
        while parent[speaker] != speaker:
            speaker = parent[speaker]
        return speaker

    hashed = usable[usable["audio_sha256"].notna()]
    twins = hashed[hashed.duplicated("audio_sha256", keep=False)]
    for _, sharing in twins.groupby("audio_sha256", sort=True)["speaker"]:
        first, *others = sorted({root(speaker) for speaker in sharing})
        parent.update(dict.fromkeys(others, first))

    described = usable.sort_values("clip_id").groupby("speaker")[["dataset", "gender"]].first()
    members: dict[str, list[str]] = {}
    for speaker in parent:
        members.setdefault(root(speaker), []).append(speaker)
    return tuple(
        _Person(tuple(speakers), str(described.loc[first, "dataset"]), str(described.loc[first, "gender"]))
        for first, speakers in members.items()
    )


def _draw(
    people: tuple[_Person, ...], columns: tuple[str, ...], spec: SplitSpec, seed: int
) -> dict[str, Side]:
    """Side of every speaker when drawn within the strata of ``columns``."""
    side_of: dict[str, Side] = {}
    for stratum, members in _strata(people, lambda person: tuple(getattr(person, c) for c in columns)):
        test, validation = _counts(len(members), spec)
        sides = [_TEST] * test + [_VALIDATION] * validation
        sides += [_TRAIN] * (len(members) - len(sides))
        for index, side in zip(_generator(seed, stratum).permutation(len(members)), sides, strict=True):
            side_of.update(dict.fromkeys(members[index].speakers, side))
    return side_of


def _strata(
    people: tuple[_Person, ...], key: Callable[[_Person], tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], list[_Person]]]:
    strata: dict[tuple[str, ...], list[_Person]] = {}
    for person in people:
        strata.setdefault(key(person), []).append(person)
    yield from sorted(strata.items())


def _counts(n: int, spec: SplitSpec) -> tuple[int, int]:
    """Speakers of ``n`` for test and validation; at least one is left over."""
    test = max(1, round(spec.test * n)) if n >= 2 else 0
    validation = max(1, round(spec.validation * n)) if n >= 3 else 0
    while test + validation >= n > 0:
        test, validation = (test - 1, validation) if test > validation else (test, validation - 1)
    return test, validation


def _generator(seed: int, stratum: tuple[str, ...]) -> np.random.Generator:
    """Generator of one stratum's draw, keyed by seed and stratum."""
    key = hashlib.blake2b(json.dumps([seed, *stratum]).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key, "little")))


def _digests(usable: pd.DataFrame) -> dict[str, str]:
    """Hash of the recording by clip id, sorted; empty where the store has none."""
    digests = usable["audio_sha256"].astype(object).where(usable["audio_sha256"].notna(), "")
    return dict(sorted(zip(usable["clip_id"], digests, strict=True)))


def _sorted(clips: pd.Series) -> tuple[str, ...]:
    return tuple(sorted(clips))


def _too_few(usable: pd.DataFrame, people: tuple[_Person, ...]) -> str:
    speakers = sorted(usable["speaker"].unique())
    named = f" ({', '.join(speakers[:5])}{', …' if len(speakers) > 5 else ''})" if speakers else ""
    alike = " after joining those with identical recordings" if len(people) < len(speakers) else ""
    return (
        f"the store has {len(people)} usable speaker{'' if len(people) == 1 else 's'}{named}{alike}, and a "
        "speaker-independent split needs at least three: one each to train on, to validate and to test; "
        "build the store with another corpus beside "
        f"{', '.join(sorted(usable['dataset'].unique())) or 'it'}"
    )
