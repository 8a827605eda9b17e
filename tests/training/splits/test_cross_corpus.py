from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import SplitError
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import clips_of, ravdess, require_sound, spoken, tess
from training.splits.choose import splits_of
from training.splits.split import Split


def crossed(manifest: Any, train: tuple[str, ...] = (), test: tuple[str, ...] = ("tess",)) -> Split:
    spec = SplitSpec(protocol="cross-corpus", train_corpora=train, test_corpora=test)
    (split,) = splits_of(manifest, spec, 0)
    return split


@pytest.fixture
def manifest(make_manifest: Any) -> Any:
    return make_manifest([*ravdess(), *tess(), *clips_of([("savee", n, "male", 5) for n in range(4)])])


def test_all_of_one_corpus_is_tested_and_nothing_of_it_heard(manifest: Any) -> None:
    split = crossed(manifest)
    require_sound(split, manifest)
    assert set(split.test) == set(manifest["clip_id"][manifest["dataset"] == "tess"])
    assert spoken(split, manifest, "train", "dataset") == {"ravdess", "savee"}
    assert split.title == "cross-corpus, speaker-independent (protocol: cross-corpus, tested on tess)"


def test_corpora_that_are_neither_trained_nor_tested_on_are_left_out(manifest: Any) -> None:
    split = crossed(manifest, ("tess",), ("savee",))
    assert spoken(split, manifest, "train", "dataset") == {"tess"}
    assert split.validation_by == "sentence"
    assert len(split.train) + len(split.validation) + len(split.test) == 120 + 20
    assert set(split.audio_sha256) == {*split.train, *split.validation, *split.test}


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ((), ("emodb",), "names emodb, but the store has ravdess, savee, tess"),
        (("emodb",), ("tess",), "names emodb"),
        ((), ("tess", "savee", "ravdess"), "has nothing to train on"),
    ],
)
def test_corpora_that_are_not_there_are_named(
    manifest: Any, train: tuple[str, ...], test: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SplitError, match=message):
        crossed(manifest, train, test)


def test_a_recording_in_both_is_refused(make_manifest: Any) -> None:
    clips = [*ravdess(), *tess()]
    clips[0]["audio_sha256"] = clips[-1]["audio_sha256"] = "5a" * 32
    with pytest.raises(SplitError, match="ravdess/01 and tess/01 share a recording"):
        crossed(make_manifest(clips))
