"""Columns of the manifest that only some corpora fill, through the life of a store."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from featurestore.cli.text.info import info_text
from featurestore.compare import compare
from featurestore.export.export import export
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import UsageError
from schemas.tables import MANIFEST_SCHEMA, OPTIONAL_COLUMNS
from tests.tiny_store import Builder
from training.samples.where import matching_clips

RATINGS = ["session", "valence", "arousal"]


@pytest.fixture(scope="module")
def corpora(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six recordings of the demo corpus, with a table that rates them, and one that does not."""
    root = tmp_path_factory.mktemp("rated")
    files = sorted((small_demo / "demo").glob("f01/*.wav"))[:6]
    for file in files:
        shutil.copy(file, root)
    rated = pd.DataFrame(
        {
            "file": [file.name for file in files],
            "speaker": ["a", "a", "b", "b", "c", "c"],
            "emotion": ["sad", "sad", "happy", "happy", "sad", "happy"],
        }
    )
    rated.to_csv(root / "plain.csv", index=False)
    rated.assign(
        session=["1", "1", "2", "2", None, None],
        valence=[1.5, 2, 3.25, 4, None, 5],
        arousal=[None] * 5 + [-1],
    ).to_csv(root / "rated.csv", index=False)
    return root


@pytest.fixture(scope="module")
def rated(corpora: Path, tiny_build: Builder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store of the six rated clips. Do not change it."""
    out = tmp_path_factory.mktemp("store") / "rated.zarr"
    tiny_build(out, corpora, f"rated={corpora}/rated.csv")
    return out


def test_a_store_has_the_columns_of_which_a_clip_has_a_value(rated: Path) -> None:
    manifest = pd.read_parquet(rated / "manifest.parquet")
    assert [*manifest.columns] == [*MANIFEST_SCHEMA.names, *RATINGS]
    pd.testing.assert_frame_equal(FeatureStore.open(rated).manifest, manifest)
    values = manifest.set_index("path").sort_index()
    assert values["session"].tolist() == ["1", "1", "2", "2", "", ""]
    assert values["valence"].tolist()[:4] == [1.5, 2.0, 3.25, 4.0]
    assert values["arousal"].isna().tolist() == [True] * 5 + [False]
    assert verify(rated, full=True).ok


def test_conditions_compare_them(rated: Path) -> None:
    manifest = FeatureStore.open(rated).manifest
    assert matching_clips(manifest, "valence > 3").sum() == 3
    assert matching_clips(manifest, "session == '1' and valence < 2").sum() == 1
    with pytest.raises(UsageError, match=r"no column 'dominance'; .*it has .*valence"):
        matching_clips(manifest, "dominance > 3")


@pytest.mark.parametrize("first", ["rated", "plain"])
def test_stores_grow_with_and_without_them_to_the_same_bytes(
    first: str, corpora: Path, rated: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    requests = {name: f"{name}={corpora}/{name}.csv" for name in ("rated", "plain")}
    together = tmp_path / "together.zarr"
    tiny_build(together, corpora, ",".join(requests.values()))
    grown = tmp_path / "grown.zarr"
    if first == "rated":
        shutil.copytree(rated, grown)
    else:
        tiny_build(grown, corpora, requests["plain"])
        assert [*FeatureStore.open(grown).manifest.columns] == MANIFEST_SCHEMA.names
    tiny_build(grown, corpora, requests["plain" if first == "rated" else "rated"])
    store = FeatureStore.open(grown)
    assert store.digest == FeatureStore.open(together).digest
    assert verify(grown, full=True).ok
    plain = store.manifest[store.manifest["dataset"] == "plain"]
    assert set(plain["session"]) == {""}
    assert plain["valence"].isna().all()
    assert "valence" not in (grown / "records" / "plain" / "00000.json").read_text()


def test_a_rating_that_changes_rebuilds_its_clips(
    corpora: Path, rated: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    again = Path(shutil.copytree(corpora, tmp_path / "again"))
    out = Path(shutil.copytree(rated, tmp_path / "s.zarr"))
    assert (
        tiny_build(out, again, f"rated={again}/rated.csv").document.digest == FeatureStore.open(rated).digest
    )
    table = again / "rated.csv"
    table.write_text(table.read_text().replace("3.25", "3.5"))
    tiny_build(out, again, f"rated={again}/rated.csv")
    result = compare(FeatureStore.open(rated), FeatureStore.open(out))
    (difference,) = result.columns
    assert (difference.column, difference.a, difference.b) == ("valence", (3.25,), (3.5,))


def test_comparing_with_a_store_without_them_shows_what_it_lacks(
    corpora: Path, rated: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    tiny_build(tmp_path / "s.zarr", corpora, f"rated={corpora}/plain.csv")
    found = compare(FeatureStore.open(rated), FeatureStore.open(tmp_path / "s.zarr")).columns
    assert [(each.column, len(each.clips)) for each in found] == [
        ("session", 4),
        ("valence", 5),
        ("arousal", 1),
    ]
    assert found[0].b == ("",) * 4
    assert found[1].b == (None,) * 5


def test_a_damaged_manifest_is_made_again(
    corpora: Path, rated: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(rated, tmp_path / "s.zarr"))
    before = (out / "manifest.parquet").read_bytes()
    (out / "manifest.parquet").write_bytes(before[:-20])
    (out / "records" / "rated" / "00000.json").unlink()
    tiny_build(out, corpora, f"rated={corpora}/rated.csv", check=True)
    assert (out / "manifest.parquet").read_bytes() == before


def test_an_export_has_them_and_info_lists_them(rated: Path, tmp_path: Path) -> None:
    store = FeatureStore.open(rated)
    export(rated, tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv")
    np.testing.assert_array_equal(table["valence"], store.manifest["valence"])
    assert not {*OPTIONAL_COLUMNS.names} - {*RATINGS} & {*table.columns}
    console = Console(width=200)
    with console.capture() as capture:
        console.print(info_text(store))
    lines = capture.get().splitlines()
    assert "column    session: 1, 2 (4 of 6 clips)" in lines
    assert "column    valence: 1.5 to 5 (5 of 6 clips)" in lines
