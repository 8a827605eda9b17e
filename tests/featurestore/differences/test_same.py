"""Stores of equal content, whatever their shards, and stores that only look equal."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from featurestore.cli.text.compare import verdict
from featurestore.differences.tables import ColumnDifference, FieldDifference, OnlyIn
from featurestore.differences.values import Numbers, ValueDifference
from featurestore.store import FeatureStore
from tests.featurestore.differences.oracle import (
    MakeStore,
    compared,
    require_the_errors_of_numpy,
    sections,
    text,
)
from tests.tiny_store import TINY_RECIPE, Builder


class TestEqualStores:
    def test_a_copy_is_identical_and_no_shard_of_it_is_decoded(
        self, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """112 clips: 1 unit × 2 features × 3 views."""
        copy = Path(shutil.copytree(plain, tmp_path / "copy.zarr"))
        monkeypatch.delattr(FeatureStore, "read")
        result = compared(plain, copy)
        assert result.identical
        assert result.same
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (0, 6)
        assert verdict(result) == "identical: equal digests"

    def test_another_order_of_features_and_views_is_the_same(self, plain: Path, make: MakeStore) -> None:
        """The numbers stand under other view indices; equal shards are found there, too."""
        head, mel, rms, noise, fast, tail = sections(TINY_RECIPE)
        other = make(head + rms + mel + fast + noise + tail)
        result = compared(plain, other)
        assert result.same
        assert not result.identical
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (0, 6)
        assert text(result)[-1].startswith("the same numbers")

    def test_other_rows_are_the_same_and_are_read(
        self, plain: Path, own_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        """A store that was extended keeps its rows; one that is built at once has them sorted. One clip is
        bad: NaN in both.
        """
        aside = tmp_path / "aside"
        first = sorted((own_demo / "demo").glob("f*/*"))
        first[7].write_bytes(b"")
        shutil.copytree(own_demo, tmp_path / "whole")
        for path in first:
            target = aside / path.relative_to(own_demo)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
        grown, sorted_rows = tmp_path / "grown.zarr", tmp_path / "sorted.zarr"
        tiny_build(grown, own_demo)
        shutil.copytree(aside, own_demo, dirs_exist_ok=True)
        tiny_build(grown, own_demo)
        tiny_build(sorted_rows, tmp_path / "whole")
        result = compared(sorted_rows, grown)
        rows = [
            pd.read_parquet(path / "manifest.parquet").set_index("clip_id")["row"]
            for path in (grown, sorted_rows)
        ]
        assert not rows[0].equals(rows[1].loc[rows[0].index])
        assert result.same
        assert not result.identical
        assert result.numbers is not None
        assert result.numbers.clips == 111
        assert result.numbers.shards_read == 6
        other = compared(plain, grown)
        require_the_errors_of_numpy(other, plain, grown)
        assert not other.same


class TestSame:
    """Each kind of difference alone makes two stores differ; the libraries do not."""

    @pytest.mark.parametrize(
        ("kind", "difference"),
        [
            ("spec", (FieldDifference("seed", 0, 1),)),
            ("features_only", OnlyIn(("mel",), ())),
            ("views_only", OnlyIn((), ("noise",))),
            ("corpora_only", OnlyIn((), ("tess",))),
            ("corpora", (FieldDifference("demo.licence", "x", "y"),)),
            ("clips_only", OnlyIn(("demo/1",), ())),
            ("columns", (ColumnDifference("label", None, ("demo/1",), ("sad",), ("calm",)),)),
            ("drawn", (ColumnDifference("parameter", "noise", ("demo/1",), (1.0,), (2.0,)),)),
            ("numbers", Numbers(1, (ValueDifference("mel", "noise", 1, 1, 0.5, 0.5, None),), {}, 1, 0)),
            ("numbers", Numbers(1, (), {"mel": "32 frames in A, 38 in B"}, 0, 0)),
        ],
    )
    def test_one_difference(self, kind: str, difference: Any, plain: Path) -> None:
        equal = compared(plain, plain, values=False)
        assert equal.same
        assert not replace(equal, **{kind: difference}).same

    def test_other_libraries(self, plain: Path) -> None:
        equal = compared(plain, plain, values=False)
        assert replace(equal, libraries=(FieldDifference("torch", "2.11", "2.12"),)).same
