"""Corpora that share their speakers: the actors of RAVDESS speak in one and sing in the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from schemas.errors import SplitError
from schemas.labels import LABEL_SETS, Target
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import clips_of, ravdess, tess
from training.audits.audit import audit
from training.linear.held_out import units_to_hold_out
from training.metrics.evaluation import evaluate
from training.splits.choose import splits_of
from training.splits.split import Split


def _song(clips: int = 2) -> list[dict[str, Any]]:
    return clips_of(
        [("ravdess-song", n, "male" if n % 2 else "female", clips) for n in range(1, 25) if n != 18], 2
    )


def _sides_of_persons(split: Split, manifest: pd.DataFrame) -> dict[str, set[str]]:
    """Sides of each actor by number, over both corpora."""
    speaker = manifest.set_index("clip_id")["speaker"]
    found: dict[str, set[str]] = {}
    for side in ("train", "validation", "test"):
        for clip in split.side(side):
            found.setdefault(speaker[clip].split("/")[1], set()).add(side)
    return found


@pytest.mark.parametrize("protocol", ["speaker", "kfold:4", "loso", "speaker+sentence:3"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_a_person_says_and_sings_is_on_one_side(make_manifest: Any, protocol: str, seed: int) -> None:
    manifest = make_manifest([*ravdess(6), *_song(6)])
    for split in splits_of(manifest, SplitSpec.model_validate({"protocol": protocol}), seed):
        assert {len(sides) for sides in _sides_of_persons(split, manifest).values()} == {1}


def test_loso_has_one_fold_per_person(make_manifest: Any) -> None:
    splits = splits_of(make_manifest([*ravdess(), *_song()]), SplitSpec(protocol="loso"), 0)
    names = [split.fold.name for split in splits if split.fold]
    assert len(names) == 24
    assert "ravdess-song/01 and ravdess/01" in names
    assert "ravdess/18" in names
    alone = splits_of(make_manifest(_song()), SplitSpec(protocol="loso"), 0)
    assert len(alone) == 23


def test_an_audit_finds_a_person_on_two_sides(make_manifest: Any) -> None:
    manifest = make_manifest([*ravdess(), *_song()])
    (split,) = splits_of(manifest, SplitSpec(), 0)
    clean = {check.name: check.verdict for check in audit(split, manifest, {}).checks}
    assert clean["speaker overlap"] == "clean"
    moved = next(clip for clip in split.test if clip.startswith("ravdess-song/"))
    leaky = Split(
        **{
            **{field: getattr(split, field) for field in Split.__dataclass_fields__},
            "test": tuple(clip for clip in split.test if clip != moved),
            "train": tuple(sorted((*split.train, moved))),
        }
    )
    (overlap,) = (check for check in audit(leaky, manifest, {}).checks if check.name == "speaker overlap")
    assert (overlap.verdict, overlap.count) == ("leak", 1)
    assert moved in overlap.offenders[0]


def test_cross_corpus_refuses_to_train_on_the_speech_and_test_on_the_song(make_manifest: Any) -> None:
    spec = SplitSpec(protocol="cross-corpus", test_corpora=("ravdess-song",))
    manifest = make_manifest([*ravdess(), *_song(), *tess()])
    with pytest.raises(SplitError, match="ravdess-song/01 and ravdess/01 are one person, who would be in"):
        splits_of(manifest, spec, 0)
    spec = SplitSpec(protocol="cross-corpus", test_corpora=("ravdess-song", "ravdess"))
    (split,) = splits_of(manifest, spec, 0)
    assert {clip.partition("/")[0] for clip in split.test} == {"ravdess", "ravdess-song"}


def test_intervals_and_held_out_units_count_persons(make_manifest: Any) -> None:
    manifest = make_manifest([*ravdess(), *_song()])
    assert len({*units_to_hold_out(manifest).names}) == 24
    labels, clips = LABEL_SETS["common6"], len(manifest)
    groups = {"corpus": manifest["dataset"], "gender": manifest["gender"], "speaker": manifest["speaker"]}
    probabilities = np.full((clips, 6), 1 / 6)
    found = evaluate(np.arange(clips) % 6, probabilities, labels, Target.EMOTION, groups)
    assert found.own.speakers == 24
    assert {group.name for group in found.own.by_corpus} == {"ravdess", "ravdess-song"}
