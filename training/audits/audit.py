"""Audit of a split: checks, clip by clip, that training uses no test data.

Runs before every training run, on the exact samples that the loader is about to read. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from schemas.errors import LeakageError
from schemas.messages.counts import choose_form, format_count
from schemas.protocol import NearDuplicateRule
from training.audits.near_duplicates import Pair
from training.audits.overlap import (
    Overlaps,
    describe_shared_sentences,
    find_copies,
    find_straddling,
    overlaps_of,
    sentences_of,
)
from training.audits.sentences import SharedSentences, shared_sentences
from training.audits.view_source import check_view_source
from training.samples.samples import Samples
from training.splits.side import SIDES, Side
from training.splits.sounds import is_segment, sounds_of
from training.splits.split import Split

Verdict = Literal["clean", "leak", "admitted", "reported"]
"""``admitted``: an overlap inherent in the protocol and stated in its title; ``reported``: an overlap that is
not a leak."""


SEGMENTS = "segments"
"""Name of the check that only splits of segmented recordings have."""


@dataclass(frozen=True)
class Check:
    """Result of one check of a split.

    ``offenders`` are sentences about the first of ``count`` offenders, leaks first.
    """

    name: str
    question: str
    verdict: Verdict
    offenders: tuple[str, ...]
    count: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "question": self.question,
            "verdict": self.verdict,
            "offenders": list(self.offenders),
            "count": self.count,
        }


@dataclass(frozen=True)
class Audit:
    """Results of all checks of one split."""

    protocol: str
    clips: Mapping[Side, int]
    speakers: Mapping[Side, int]
    samples: Mapping[Side, int]
    checks: tuple[Check, ...]
    test_sentences: int
    """Distinct sentences in the test, counted per corpus; 0 if the corpora do not identify them."""
    test_sentences_heard: int
    """Sentences of the test that are in training too."""
    sentences: tuple[SharedSentences, ...] = ()
    """The same for each corpus of the test."""

    @property
    def leaks(self) -> tuple[Check, ...]:
        """Checks that found an overlap forbidden by the protocol."""
        return tuple(check for check in self.checks if check.verdict == "leak")

    @property
    def leaks_at_all(self) -> bool:
        """Whether any two sides overlap, even if the protocol admits it."""
        return any(check.verdict in {"leak", "admitted"} for check in self.checks)

    @property
    def notices(self) -> tuple[str, ...]:
        """One sentence each on copies that the recipe accepts, and on segments of one recording."""
        segments = tuple(
            f"segments of {format_count(check.count, 'recording')} are on different sides; they share "
            f"a room and a microphone: {'; '.join(check.offenders[:3])}"
            for check in self.checks
            if check.name == SEGMENTS and check.count
        )
        return segments + tuple(
            f"{format_count(check.count, 'pair')} of clips on different sides "
            f"{choose_form(check.count, 'sounds', 'sound')} the same: "
            f"{'; '.join(check.offenders[:3])}"
            for check in self.checks
            if check.name == "near-duplicates" and check.verdict == "admitted"
        )

    def require_clean(self) -> None:
        """Raise :class:`LeakageError`, naming the first offenders, if any check found a leak."""
        if not self.leaks:
            return
        leaks = []
        for check in self.leaks:
            shown = "; ".join(check.offenders[:3])
            more = f"; and {check.count - 3} more" if check.count > 3 else ""
            leaks.append(f"{check.name}: {shown}{more}")
        copied = any(check.name == "near-duplicates" for check in self.leaks)
        step = "Start a run with a new split"
        if copied:
            step = (
                "Remove one copy of each pair from its corpus and build again, or accept them with "
                "--set split.near_duplicates=report"
            )
        raise LeakageError(f"the split leaks ({'. '.join(leaks)}); nothing was trained. {step}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``audit.json``."""
        return {
            "protocol": self.protocol,
            "clean": not self.leaks_at_all,
            "clips": dict(self.clips),
            "speakers": dict(self.speakers),
            "samples": dict(self.samples),
            "test_sentences": self.test_sentences,
            "test_sentences_heard": self.test_sentences_heard,
            "sentences": [shared.to_json() for shared in self.sentences],
            "checks": [check.to_json() for check in self.checks],
        }


def audit(
    split: Split,
    manifest: pd.DataFrame,
    samples: Mapping[Side, Samples],
    near_duplicates: Sequence[Pair] | None = None,
    near_duplicate_rule: NearDuplicateRule = "refuse",
) -> Audit:
    """Check ``split`` against ``manifest`` and the samples that each side is about to read.

    Leaks are a clip, a speaker or a recording (by SHA-256, or under another name) on two sides; a clip whose
    recording has changed since the split; a sample read on the wrong side; and an augmented view in
    validation or test. Admitted are speakers on several sides under the protocol ``random``; views of one
    recording on several sides, if views were drawn; and training speakers in validation, but never in the
    test, if too few speakers were left. Reported are training sentences that are in validation or test too;
    in the test they are leaks under ``speaker+sentence``.
    Segments of one recording that do not overlap are reported if they are on different sides.

    ``near_duplicates`` come from :func:`training.audits.near_duplicates.near_duplicates`; None skips the
    check. They are leaks, or admitted if the rule is ``report``.
    """
    sides = pd.concat(
        [pd.DataFrame({"clip_id": list(split.side(name)), "side": name}) for name in SIDES],
        ignore_index=True,
    )
    known_sounds = manifest.assign(sound=sounds_of(manifest))
    clips = sides.merge(known_sounds, on="clip_id", how="left", validate="many_to_one")
    same_recordings = SIDES if split.views is not None else ()
    hashed = clips[clips["audio_sha256"].fillna("") != ""]
    checks = [
        _check(
            "clip overlap", "Is each clip on one side?", find_straddling(clips, "clip_id", same_recordings)
        ),
        _check(
            "speaker overlap",
            "Is each speaker on one side?",
            find_straddling(clips[clips["speaker"].notna()], "speaker", _sharing_speakers(split)),
        ),
        _check(
            "audio overlap",
            "Is each recording, by the SHA-256 of its file, on one side?",
            find_straddling(hashed, "sound", same_recordings),
        ),
        *_segments_check(hashed),
        _check(
            "recordings",
            "Is each clip still the recording that was split?",
            overlaps_of([f"{clip} is missing or another recording" for clip in split.changed(manifest)]),
        ),
        _check(
            "view source",
            "Is each view read on its clip's side, and the original alone in validation and test?",
            check_view_source(split, manifest, samples),
        ),
    ]
    if near_duplicates is not None:
        question = "Is each recording on one side, whatever its name and format?"
        check = _check("near-duplicates", question, find_copies(clips, near_duplicates, same_recordings))
        reported = near_duplicate_rule == "report" and check.verdict == "leak"
        checks.append(replace(check, verdict="admitted") if reported else check)
    shared = describe_shared_sentences(clips)
    question = "Which sentences of training are spoken in validation or test too?"
    in_test, in_training = sentences_of(clips, "test"), sentences_of(clips, "train")
    known = in_test & (in_training | sentences_of(clips, "validation"))
    verdict: Verdict = "leak" if known and split.claim.is_sentence_independent else "reported"
    checks.append(Check("sentence overlap", question, verdict, shared, len(shared)))
    by_side = clips.groupby("side")
    return Audit(
        protocol=split.protocol,
        clips={name: len(split.side(name)) for name in SIDES},
        speakers={name: int(by_side["speaker"].nunique().get(name, 0)) for name in SIDES},
        samples={name: len(samples[name]) for name in SIDES if name in samples},
        checks=tuple(checks),
        test_sentences=len(in_test),
        test_sentences_heard=len(in_test & in_training),
        sentences=shared_sentences(manifest, split.train, split.test),
    )


def _segments_check(hashed: pd.DataFrame) -> tuple[Check, ...]:
    """The check of the segments of one recording, if there are any. Its sides share a room, not sound."""
    cut = hashed[is_segment(hashed)]
    if cut.empty:
        return ()
    named = cut["dataset"] + "/" + cut["path"]
    recording = named.groupby(cut["audio_sha256"]).transform("first")
    found = find_straddling(cut.assign(recording=recording), "recording", SIDES)
    question = "Are the segments of each recording on one side?"
    verdict: Verdict = "reported" if found.admitted else "clean"
    return (Check(SEGMENTS, question, verdict, found.sentences, found.admitted),)


def _sharing_speakers(split: Split) -> tuple[Side, ...]:
    """Sides that may have speakers in common."""
    if split.protocol == "random":
        return SIDES
    return () if split.validation_by == "speaker" else ("train", "validation")


def _check(name: str, question: str, findings: Overlaps) -> Check:
    verdict: Verdict = "leak" if findings.leaks else "admitted" if findings.admitted else "clean"
    return Check(name, question, verdict, findings.sentences, findings.leaks + findings.admitted)
