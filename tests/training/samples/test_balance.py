from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from tests.training.conftest import MakeManifest
from training.samples.balance import balance_corpora
from training.samples.samples import Samples, cross


def _three_corpora(make_manifest: MakeManifest) -> tuple[pd.DataFrame, Samples]:
    counts = {"large/1": 10, "small/1": 4, "other/1": 5}
    manifest = make_manifest([{"speaker": name} for name, n in counts.items() for _ in range(n)])
    clips = np.arange(19)
    return manifest, cross(clips, clips % 3, (0, 2))


def test_each_corpus_has_as_many_clips_as_the_largest(make_manifest: MakeManifest) -> None:
    manifest, samples = _three_corpora(make_manifest)
    found, sentences = balance_corpora(samples, manifest, seed=1)
    corpora = manifest["dataset"].to_numpy()[found.clips]
    for view in (0, 2):
        assert Counter(corpora[found.views == view]) == {"large": 10, "small": 10, "other": 10}
    copies = Counter(found.clips[found.views == 0].tolist())
    assert sorted(copies[clip] for clip in range(10)) == [1] * 10
    assert sorted(copies[clip] for clip in range(10, 14)) == [2, 2, 3, 3]
    assert sorted(copies[clip] for clip in range(14, 19)) == [2] * 5
    assert sentences == (
        "the 5 training clips of other are used 2.0 times on average, so that each corpus has 10",
        "the 4 training clips of small are used 2.5 times on average, so that each corpus has 10",
    )


def test_copies_keep_their_target_view_and_order(make_manifest: MakeManifest) -> None:
    manifest, samples = _three_corpora(make_manifest)
    found, _ = balance_corpora(samples, manifest, seed=1)
    assert np.array_equal(found.classes, found.clips % 3)
    assert np.array_equal(np.lexsort((found.clips, found.views)), np.arange(len(found)))


def test_the_draw_depends_on_the_seed_alone(make_manifest: MakeManifest) -> None:
    manifest, samples = _three_corpora(make_manifest)
    drawn = [balance_corpora(samples, manifest, seed)[0].clips.tolist() for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert len(set(map(tuple, drawn))) > 1


def test_corpora_of_equal_size_are_left_as_they_are(make_manifest: MakeManifest) -> None:
    manifest = make_manifest([{"speaker": name} for name in ("a/1", "b/1") for _ in range(3)])
    samples = cross(np.arange(6), np.zeros(6, dtype=np.int64), (0,))
    found, sentences = balance_corpora(samples, manifest, seed=0)
    assert found.clips.tolist() == [0, 1, 2, 3, 4, 5]
    assert sentences == ()
