"""The sample of clips: usable, even over corpora, and the same whatever else the store holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.report.sample import sample_clips, share_out


def table(**clips: int) -> pd.DataFrame:
    """A manifest with this many clips per corpus, of which every fifth is bad."""
    rows = [(name, f"{name}/{index}", index) for name, count in clips.items() for index in range(count)]
    frame = pd.DataFrame(rows, columns=["dataset", "clip_id", "index"])
    return frame.assign(status=np.where(frame["index"] % 5 == 4, "bad", "ok"))


def test_a_small_store_is_used_whole_without_its_bad_clips() -> None:
    manifest = table(a=10, b=5)
    sample = sample_clips(manifest, 100)
    assert sample.usable == 12
    assert sample.positions.tolist() == np.flatnonzero(manifest["status"] == "ok").tolist()


def test_corpora_have_equal_shares_as_far_as_they_have_clips() -> None:
    manifest = table(large=1000, middle=500, small=10)
    chosen = manifest.iloc[sample_clips(manifest, 100).positions]
    assert chosen["dataset"].value_counts().to_dict() == {"large": 46, "middle": 46, "small": 8}
    assert (chosen["status"] == "ok").all()


def test_clips_of_other_corpora_do_not_change_which_of_a_corpus_come_first() -> None:
    alone, both = table(a=300), table(a=300, b=300)
    first = set(alone.iloc[sample_clips(alone, 50).positions]["clip_id"])
    second = {name for name in both.iloc[sample_clips(both, 100).positions]["clip_id"] if name[0] == "a"}
    assert first == second


def test_a_sample_is_not_a_run_of_neighbours() -> None:
    positions = sample_clips(table(a=1000), 100).positions
    assert np.all(np.diff(positions) > 0)
    assert positions.mean() == pytest.approx(500, abs=100)


@given(st.integers(0, 200), st.lists(st.integers(0, 60), max_size=8))
def test_shares_fill_the_total_and_differ_by_one_at_most(total: int, sizes: list[int]) -> None:
    shares = share_out(total, sizes)
    assert sum(shares) == min(total, sum(sizes))
    cut = [share for share, size in zip(shares, sizes, strict=True) if share < size]
    assert max(shares, default=0) - min(cut, default=max(shares, default=0)) <= 1
