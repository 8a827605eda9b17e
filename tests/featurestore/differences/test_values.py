"""Differences of values, against numpy."""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import featurestore.differences.values as module
from featurestore.cli.text.compare import comparison_json, verdict
from featurestore.compare import compare
from featurestore.differences.tables import FieldDifference
from featurestore.places.choose import place_at
from featurestore.read.objects import Objects
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError
from tests.featurestore.differences.oracle import (
    MakeStore,
    compared,
    damage,
    measured,
    replace_values,
    require_the_errors_of_numpy,
    sections,
    with_hashes,
)
from tests.tiny_store import TINY_RECIPE


class TestValues:
    def test_another_dtype_differs_by_its_rounding(self, plain: Path, single: Path) -> None:
        result = compared(plain, single)
        assert result.spec == (FieldDifference("storage.dtype", "float16", "float32"),)
        assert not result.columns
        assert not result.drawn
        assert not result.same
        assert all(d.differing for d in measured(result).values())
        require_the_errors_of_numpy(result, plain, single)

    def test_another_seed_draws_other_noise(self, plain: Path, make: MakeStore) -> None:
        """The original and a view of a fixed parameter hold the same bytes: those shards are not read."""
        other = make(seed=1)
        result = compared(plain, other)
        assert result.spec == (FieldDifference("seed", 0, 1),)
        assert {d.view for d in measured(result).values() if d.differing} == {"noise"}
        require_the_errors_of_numpy(result, plain, other)
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (2, 4)
        drawn = {(d.view, d.column): d for d in result.drawn}
        assert ("noise", "parameter") in drawn
        assert ("fast", "parameter") not in drawn
        snr = drawn["noise", "parameter"]
        for path, values in ((plain, snr.a), (other, snr.b)):
            table = pd.read_parquet(path / "views.parquet")
            table = table[table["name"] == "noise"].set_index("clip_id")
            assert values == tuple(table.loc[list(snr.clips), "parameter"])

    def test_in_blocks_of_a_chunk_the_result_is_the_same(
        self, plain: Path, single: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_once = compared(plain, single)
        most = []
        read = FeatureStore.read

        def spy(self: FeatureStore, clips: Any, *rest: Any) -> Any:
            most.append(len(clips))
            return read(self, clips, *rest)

        monkeypatch.setattr(FeatureStore, "read", spy)
        monkeypatch.setattr(module, "MOST_VALUES", 1)
        blocks = compared(plain, single)
        assert set(most) == {32, 16}
        for key, found in measured(blocks).items():
            expected = measured(at_once)[key]
            assert (found.largest, found.spot, found.differing) == (
                expected.largest,
                expected.spot,
                expected.differing,
            )
            assert found.rms == pytest.approx(expected.rms, rel=1e-12)

    @pytest.mark.parametrize(
        ("a", "b", "differing", "largest"),
        [
            (np.nan, np.nan, 0, 0.0),
            (np.inf, np.inf, 0, 0.0),
            (-0.0, 0.0, 0, 0.0),
            (np.nan, 1.0, 1, np.inf),
            (1.0, np.nan, 1, np.inf),
            (np.inf, -np.inf, 1, np.inf),
            (65504.0, -65504.0, 1, 131008.0),
        ],
    )
    def test_numbers_that_are_none(
        self, a: float, b: float, differing: int, largest: float, plain: Path, single: Path
    ) -> None:
        stores = FeatureStore.open(plain), FeatureStore.open(single)
        for store, value in zip(stores, (a, b), strict=True):
            replace_values(store, value)
        result = compare(*stores)
        found = measured(result)["mel", "noise"]
        assert (found.differing, found.largest) == (differing, largest)
        if differing:
            assert found.spot is not None
            assert (found.spot.coefficient, found.spot.frame) == (5, 3)
        else:
            assert found.spot is None
        json.dumps(comparison_json(result), allow_nan=False)

    def test_values_of_other_shapes_are_not_compared(self, plain: Path, make: MakeStore) -> None:
        bands = compared(plain, make(TINY_RECIPE.replace("n_mels = 16", "n_mels = 24")))
        assert bands.numbers is not None
        assert bands.numbers.incomparable == {"mel": "16 coefficients in A, 24 in B"}
        assert {feature for feature, _ in measured(bands)} == {"rms"}
        assert verdict(bands).endswith("all values in both are the same; values of mel cannot be compared")
        longer = compared(plain, make(TINY_RECIPE.replace("duration_s = 0.5", "duration_s = 0.6")))
        assert longer.numbers is not None
        assert longer.numbers.incomparable["rms"] == "32 frames in A, 38 in B"
        assert not longer.numbers.measured
        assert not longer.same

    def test_no_values_reads_no_array(self, plain: Path, single: Path, tmp_path: Path) -> None:
        own_store = Path(shutil.copytree(plain, tmp_path / "own.zarr"))
        for shard in (own_store / "demo").rglob("c/*/*/0/0"):
            shard.unlink()
        result = compared(own_store, single, values=False)
        assert result.numbers is None
        assert result.spec
        assert verdict(result).endswith("the values were not compared")
        alone = verdict(compared(own_store, own_store, values=False))
        assert alone == "equal digests; the values were not read"

    def test_equal_bytes_of_other_clips_are_read(
        self, small_demo: Path, make: MakeStore, tmp_path: Path
    ) -> None:
        """Two recordings as clips 1 and 2 here, as 2 and 3 there: the shards are equal, clip 2 is not."""
        files = sorted((small_demo / "demo" / "f01").glob("*.wav"))[:2]
        for corpora, first in (("a", 1), ("b", 2)):
            folder = tmp_path / corpora / "demo"
            folder.mkdir(parents=True)
            for number, file in enumerate(files, first):
                shutil.copy(file, folder / f"f01_s1_angry_{number}.wav")
        head, mel, rms, _, _, tail = sections(TINY_RECIPE)
        a, b = (make(head + mel + rms + tail, corpora=tmp_path / corpora) for corpora in ("a", "b"))
        shards = [FeatureStore.open(store).document.objects["demo/mel/c/0/0/0/0"] for store in (a, b)]
        assert shards[0] == shards[1]
        result = compared(a, b)
        assert result.numbers is not None
        assert result.numbers.clips == 1
        assert measured(result)["mel", "original"].differing == 1
        require_the_errors_of_numpy(result, a, b)

    def test_equal_bytes_of_another_dtype_are_read(
        self, plain: Path, single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Bytes say nothing where they are read in another way."""
        monkeypatch.setattr(Objects, "hash_all", lambda *_: None)  # the hashes are not true here
        a, b = FeatureStore.open(plain), FeatureStore.open(with_hashes(single, plain, tmp_path))
        for store in (a, b):
            replace_values(store, 0.0)
        result = compare(a, b)
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (6, 0)

    @pytest.mark.parametrize("side", [0, 1])
    @pytest.mark.parametrize("fault", ["flipped", "cut", "empty", "longer", "lost"])
    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("demo/rms/c/1/0/0/0", True),
            ("manifest.parquet", False),
            ("views.parquet", False),
            ("statistics.parquet", False),
            ("records/demo/00000.json", False),
            ("demo/mel/zarr.json", False),
        ],
    )
    def test_damage_of_a_copy_is_named(
        self, name: str, values: bool, fault: str, side: int, plain: Path, tmp_path: Path
    ) -> None:
        """Both ``store.json`` are equal, so that nothing is different but the damaged file."""
        damaged = Path(shutil.copytree(plain, tmp_path / "damaged.zarr"))
        damage(damaged / name, fault)
        paths = [damaged, plain] if side == 0 else [plain, damaged]
        with pytest.raises(StoreDamagedError, match=f"{name} in {damaged}"):
            compared(*paths, values=values)

    def test_damage_elsewhere_is_named_and_nothing_is_kept(
        self, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
        memory_place = f"memory://{uuid.uuid4().hex}/store"
        place = place_at(memory_place)
        for path in plain.rglob("*"):
            if path.is_file():
                place.write(path.relative_to(plain).as_posix(), path.read_bytes())
        assert compare(FeatureStore.open(plain), FeatureStore.open(memory_place)).identical
        assert not [*(tmp_path / "cache").rglob("*rms/c/*")]
        name = "demo/rms/c/1/0/0/0"
        place.write(name, (plain / name).read_bytes() + b"more")
        with pytest.raises(StoreDamagedError, match=name):
            compare(FeatureStore.open(plain), FeatureStore.open(memory_place))
        place.delete([name])
        with pytest.raises(StoreDamagedError, match=name):
            compare(FeatureStore.open(plain), FeatureStore.open(memory_place))
