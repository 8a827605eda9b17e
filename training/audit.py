"""Audit of a split: proof, clip by clip, that nothing of the test is heard in training.

Runs before every training, on the very samples that the loader is about to read. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import LeakageError
from training.samples import ORIGINAL_VIEW, SIDES, Samples, Side
from training.split import Split

Verdict = Literal["clean", "leak", "reported"]


@dataclass(frozen=True)
class Check:
    """One question put to a split. ``offenders`` are sentences, the worst first."""

    name: str
    question: str
    verdict: Verdict
    offenders: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """Outcome of all checks of one split."""

    protocol: str
    clips: Mapping[Side, int]
    speakers: Mapping[Side, int]
    samples: Mapping[Side, int]
    checks: tuple[Check, ...]
    test_sentences: int
    """Sentences that are spoken in the test, each corpus's own; 0 where the corpora do not tell them."""
    test_sentences_heard: int
    """How many of them are spoken in training too."""

    def require_clean(self) -> None:
        """Raise :class:`LeakageError`, naming the first offenders, if any check found a leak."""
        leaks = [check for check in self.checks if check.verdict == "leak"]
        if not leaks:
            return
        found = []
        for check in leaks:
            shown = "; ".join(check.offenders[:3])
            more = f"; and {len(check.offenders) - 3} more" if len(check.offenders) > 3 else ""
            found.append(f"{check.name}: {shown}{more}")
        raise LeakageError(
            f"the split leaks ({'. '.join(found)}); nothing was trained. Start a run with a new split"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``audit.json``."""
        return {
            "protocol": self.protocol,
            "clean": all(check.verdict != "leak" for check in self.checks),
            "clips": dict(self.clips),
            "speakers": dict(self.speakers),
            "samples": dict(self.samples),
            "test_sentences": self.test_sentences,
            "test_sentences_heard": self.test_sentences_heard,
            "checks": [{**asdict(check), "offenders": list(check.offenders)} for check in self.checks],
        }


def audit(split: Split, manifest: pd.DataFrame, samples: Mapping[Side, Samples]) -> Audit:
    """Check ``split`` against ``manifest`` and the samples that each side is about to read.

    Refused: a clip, a speaker or a recording (by SHA-256) on two sides; a clip that is no longer the
    recording that was split; a sample of a clip that is not on its side, or of another view than the
    original in validation and test. Reported: sentences of training that are spoken in the test too.
    """
    sides = pd.concat(
        [pd.DataFrame({"clip_id": list(split.side(name)), "side": name}) for name in SIDES],
        ignore_index=True,
    )
    clips = sides.merge(manifest, on="clip_id", how="left", validate="many_to_one")
    checks = (
        _refuse("clip overlap", "Is each clip on one side?", _straddling(clips, "clip_id")),
        _refuse("speaker overlap", "Is each speaker on one side?", _straddling(clips, "speaker")),
        _refuse(
            "audio overlap",
            "Is each recording, by the SHA-256 of its file, on one side?",
            _straddling(clips[clips["audio_sha256"].fillna("") != ""], "audio_sha256"),
        ),
        _refuse(
            "recordings",
            "Is each clip still the recording that was split?",
            [f"{clip} is gone or holds another recording" for clip in split.changed(manifest)],
        ),
        _refuse(
            "view source",
            "Is each view read on its clip's side, and the original alone in validation and test?",
            _view_offenders(split, manifest, samples),
        ),
        Check(
            "sentence overlap",
            "Which sentences of training are spoken in validation or test too?",
            "reported",
            tuple(_sentence_overlap(clips)),
        ),
    )
    by_side = clips.groupby("side")
    in_test, in_training = _sentences(clips, "test"), _sentences(clips, "train")
    return Audit(
        protocol=split.protocol,
        clips={name: len(split.side(name)) for name in SIDES},
        speakers={name: int(by_side["speaker"].nunique().get(name, 0)) for name in SIDES},
        samples={name: len(samples[name]) for name in SIDES if name in samples},
        checks=checks,
        test_sentences=len(in_test),
        test_sentences_heard=len(in_test & in_training),
    )


def _refuse(name: str, question: str, offenders: list[str]) -> Check:
    return Check(name, question, "leak" if offenders else "clean", tuple(offenders))


def _straddling(clips: pd.DataFrame, column: str) -> list[str]:
    """Values of ``column`` that stand on more than one side, each with a clip of every side."""
    sides = clips.groupby(column)["side"].nunique()
    straddling = clips[clips[column].isin(sides.index[sides > 1])]
    return [f"{value} is on {_spelt(group)}" for value, group in straddling.groupby(column, sort=True)]


def _spelt(group: pd.DataFrame) -> str:
    first = group.drop_duplicates("side")
    return " and ".join(
        f"{side} ({clip})" for side, clip in zip(first["side"], first["clip_id"], strict=True)
    )


def _view_offenders(split: Split, manifest: pd.DataFrame, samples: Mapping[Side, Samples]) -> list[str]:
    offenders = []
    for name, read in samples.items():
        on_side = np.zeros(len(manifest), dtype=bool)
        on_side[split.positions(manifest, name)] = True
        strays = ~on_side[read.clips]
        offenders += _named(manifest, read, strays, f"is read in {name}, which the clip is not part of")
        if name != "train":
            offenders += _named(manifest, read, read.views != ORIGINAL_VIEW, f"is read in {name}")
    return offenders


def _named(manifest: pd.DataFrame, read: Samples, wrong: NDArray[np.bool_], what: str) -> list[str]:
    clip_ids = manifest["clip_id"].to_numpy()[read.clips[wrong]]
    return [f"view {view} of {clip} {what}" for clip, view in zip(clip_ids, read.views[wrong], strict=True)]


def _sentences(clips: pd.DataFrame, side: Side) -> set[tuple[str, str]]:
    """Corpus and sentence of what is spoken on one side, as far as it is known."""
    spoken = clips[(clips["side"] == side) & (clips["sentence"].fillna("") != "")]
    return set(zip(spoken["dataset"], spoken["sentence"], strict=True))


def _sentence_overlap(clips: pd.DataFrame) -> list[str]:
    """One sentence a corpus that has any overlap."""
    spoken = clips[clips["sentence"].fillna("") != ""]
    lines = []
    for dataset, of_corpus in spoken.groupby("dataset", sort=True):
        trained = set(of_corpus["sentence"][of_corpus["side"] == "train"])
        held_out = of_corpus[of_corpus["side"] != "train"]
        shared = held_out["sentence"].isin(trained)
        if shared.any():
            lines.append(
                f"{dataset}: {held_out['sentence'][shared].nunique()} sentences, "
                f"in {int(shared.sum())} of {len(held_out)} validation and test clips"
            )
    return lines
