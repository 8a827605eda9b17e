"""Encoders and the map on the page of a report, in stores with few, with bad and with no usable clips."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from featurestore.progress import Silent
from featurestore.read.selection import Positions
from featurestore.report.embeddings import examine_embeddings
from featurestore.report.findings import findings_json
from featurestore.report.make import make_report
from featurestore.store import FeatureStore
from tests.encoder_store import build_with
from tests.featurestore.report.conftest import RMS, MakeStore, words

Part = Callable[[str, int], Path]


@pytest.fixture(scope="module")
def part(
    small_demo: Path, both_recipe: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Part:
    """Path of a store of the demo clips that a pattern finds, of which the first ``bad`` are broken."""

    def run(pattern: str, bad: int = 0) -> Path:
        folder = tmp_path_factory.mktemp("part")
        for place, source in enumerate(sorted((small_demo / "demo").glob(pattern))):
            target = folder / "demo" / source.parent.name / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if place < bad:
                target.write_bytes(b"broken")
            else:
                shutil.copyfile(source, target)
        build_with(folder / "part.zarr", folder, both_recipe, encoder, jobs=1)
        return folder / "part.zarr"

    return run


@pytest.mark.usefixtures("blank")
def test_the_page_shows_layers_and_map(encoder_store: Path, tmp_path: Path) -> None:
    report = make_report(encoder_store, tmp_path / "r.html")
    text, html = words(report.path), report.path.read_text(encoding="utf-8")
    for told in (
        "pooled Computed from all 112 usable clips.",
        "framed Computed from all 112 usable clips.",
        "The store has one layer of this encoder, so there is nothing to compare it with.",
        "its mean state in layer 3 of pooled, the middle one of the stored layers",
        "distances between clusters and the sizes of clusters mean nothing under t-SNE",
        "By emotion",
        "By gender",
        "16 speakers, each with a colour",
        "grouped by groups clips silhouette",
    ):
        assert told in text
    assert "By corpus" not in text
    assert html.count("Maps of the clips by PCA and t-SNE") == 3
    assert html.count("Norms of the states of pooled") == 1
    numbers = json.loads(json.dumps(findings_json(report.findings), allow_nan=False))
    assert [each["feature"] for each in numbers["encoders"]] == ["pooled", "framed"]
    assert np.shape(numbers["encoders"][0]["similarity"]) == (2, 2)
    assert (numbers["map"]["feature"], numbers["map"]["layer"], numbers["map"]["clips"]) == ("pooled", 3, 112)
    assert 0 < numbers["map"]["explained"][1] <= numbers["map"]["explained"][0] < 1
    assert list(numbers["map"]["separation"]) == [
        "emotion",
        "gender",
        "speaker",
        "sentence",
        "corpus",
    ]
    assert numbers["map"]["separation"]["emotion"]["groups"] == 7
    assert numbers["map"]["separation"]["corpus"] is None


@pytest.mark.slow
def test_the_same_store_gives_the_same_page(encoder_store: Path, tmp_path: Path) -> None:
    pages = [make_report(encoder_store, tmp_path / name).path.read_bytes() for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


@pytest.mark.usefixtures("blank")
def test_bad_recordings_are_left_out(part: Part, tmp_path: Path) -> None:
    made = part("[fm]01/*", 3)
    report = make_report(made, tmp_path / "r.html")
    assert "Computed from all 11 usable clips." in words(report.path)
    manifest = pd.read_parquet(made / "manifest.parquet")
    found = report.findings.embeddings
    assert [profile.clips for profile in found.layers] == [11, 11]
    assert all(np.isfinite(profile.norm_mean).all() for profile in found.layers)
    assert found.map is not None
    assert found.map.points is not None
    usable = manifest[manifest["status"] == "ok"]
    assert list(found.map.points.clip_ids) == usable["clip_id"].tolist()
    assert "m01" in words(report.path).split("By speaker")[1].split("How well")[0]


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize(
    ("pattern", "bad", "usable"), [("f01/*angry*", 0, 1), ("f01/*", 0, 7), ("f01/*", 7, 0)]
)
def test_too_few_clips_have_one_sentence_instead_of_a_map(
    part: Part, pattern: str, bad: int, usable: int, tmp_path: Path
) -> None:
    report = make_report(part(pattern, bad), tmp_path / "r.html")
    text = words(report.path)
    assert f"it needs at least 10 usable clips that differ, and this store has {usable}." in text
    assert ("nothing is known about its layers" in text) == (usable == 0)
    assert "Maps of the clips" not in report.path.read_text()
    assert all(profile.clips == usable for profile in report.findings.embeddings.layers)


@pytest.mark.usefixtures("blank")
def test_a_store_without_encoders_and_spectra_has_neither(
    make: MakeStore, small_demo: Path, tmp_path: Path
) -> None:
    report = make_report(make(features=RMS, corpora=small_demo), tmp_path / "r.html")
    assert report.findings.embeddings.map is None
    text = words(report.path)
    assert "The store has no features of pretrained encoders." in text
    assert "so there is no map" in text


def test_nothing_but_originals_is_read(encoder_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[tuple[int, ...], tuple[str, ...]]] = []
    read = FeatureStore.read

    def watched(
        self: FeatureStore, clips: Positions, views: Sequence[int], features: Sequence[str]
    ) -> dict[str, npt.NDArray[np.floating]]:
        asked.append((tuple(views), tuple(features)))
        return read(self, clips, views, features)

    monkeypatch.setattr(FeatureStore, "read", watched)
    examine_embeddings(FeatureStore.open(encoder_store), Silent())
    assert set(asked) == {((0,), ("pooled",)), ((0,), ("framed",))}
