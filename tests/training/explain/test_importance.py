"""Importance of features and layers, against plain arithmetic on stored arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.metrics import balanced_accuracy_score

from featurestore.store import FeatureStore
from schemas.errors import RunError
from tests import commands
from tests.encoder_store import vector_recipe
from training.campaign import train_all
from training.explain.importance import REPEATS, permute_within
from training.explain.permuted import exchange_frames
from training.plan import make
from training.report.explanation import read_counts
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest
from training.vectors.descriptors import descriptor_columns, descriptors

LAYERS = """
[[features]]
kind = "encoder"
name = "pooled"
layers = [1, 3]
pooling = "mean"
"""
WIDTH = 32


@pytest.fixture(scope="module", autouse=True)
def no_search_for_near_duplicates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "near_duplicates", lambda store, split: None)
        yield


@pytest.fixture(scope="module")
def series(encoder_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = vector_recipe("lda", "kfold:2", LAYERS)
    request = TrainRequest(
        store=encoder_store, recipe=recipe, output=tmp_path_factory.mktemp("lda"), hardware=Hardware("cpu"),
        explain=True,
    )  # fmt: skip
    return train_all(request, None, SilentObserver()).path


def plain_drops(run: Path, where: Path, part: str) -> list[float]:
    record = json.loads((run / "run.json").read_text())
    tested = json.loads((run / "split.json").read_text())["test"]
    store = FeatureStore.open(where)
    manifest = store.manifest
    clips = np.flatnonzero(
        manifest["clip_id"].isin(list(tested)) & manifest["emotion"].isin(record["classes"])
    )
    stored = store.read(clips, (0,), ["pooled"])["pooled"][0, :, :, 0]
    x = stored.reshape(len(clips), 2, 2, WIDTH)[:, :, 0].reshape(len(clips), 2 * WIDTH).astype(np.float32)
    model = load_file(run / "linear.safetensors")
    true = manifest["emotion"].to_numpy()[clips]
    columns = {"pooled": slice(0, 64), "pooled, layer 1": slice(0, 32), "pooled, layer 3": slice(32, 64)}[
        part
    ]

    def ua(values: np.ndarray) -> float:
        scores = ((values - model["mean"]) / model["scale"]) @ model["coef"].T + model["intercept"]
        return float(balanced_accuracy_score(true, np.array(record["classes"])[scores.argmax(axis=1)]))

    drops = []
    for repeat in range(REPEATS):
        donors = permute_within(manifest["dataset"].to_numpy()[clips], repeat)
        values = x.copy()
        values[:, columns] = x[donors][:, columns]
        drops.append(ua(x) - ua(values))
    return drops


@pytest.mark.parametrize("part", ["pooled", "pooled, layer 1", "pooled, layer 3"])
def test_each_layer_has_the_importance_of_plain_arithmetic(
    part: str, series: Path, encoder_store: Path
) -> None:
    for number in (1, 2):
        run = series / f"fold-{number}"
        values = json.loads((run / "explanation.json").read_text())
        found = {each["name"]: each for each in values["parts"]}
        assert [*found] == ["pooled", "pooled, layer 1", "pooled, layer 3"]
        assert found[part]["drops"] == pytest.approx(plain_drops(run, encoder_store, part))


def test_a_series_pools_its_folds_on_its_page(series: Path) -> None:
    pooled = json.loads((series / "explanation.json").read_text())
    folds = [read_counts(series / f"fold-{number}") for number in (1, 2)]
    assert pooled["clips"] == sum(int(fold.unchanged.sum()) for fold in folds)
    summary = json.loads((series / "summary.json").read_text())
    assert pooled["ua"] == pytest.approx(summary["pooled"]["emotion"]["ua"])
    assert "What it listens to, pooled" in (series / "report.html").read_text()


def test_the_command_measures_a_series_as_its_training_did(
    series: Path, encoder_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = commands.run("ser-evaluate", series, "--explain", "--store", encoder_store, "--out", out)
    pooled = json.loads((series / "explanation.json").read_text())
    values = json.loads((out / "explanation.json").read_text())
    assert values["parts"] == pooled["parts"]
    rows = {line.split("  ")[0] for line in done.stdout.splitlines()}
    assert {part["name"] for part in pooled["parts"]} <= rows
    assert max(map(len, done.stdout.splitlines())) <= 100
    names = {"explanation.json", "importance.png", "report.html", "report.txt"}
    assert {path.name for path in out.iterdir()} == names
    assert commands.run("ser-evaluate", series, "--verify").returncode == 0


def test_requests_that_have_no_answer_are_a_sentence(series: Path) -> None:
    def refused(*options: object) -> str:
        return " ".join(commands.run("ser-evaluate", series, *map(str, options), status=2).stderr.split())

    assert "--explain and --views are two tests" in refused("--explain", "--views", "all")
    assert "leave out --explain" in refused("--explain", "--verify")
    assert "leave out --where" in refused("--explain", "--where", "snr_db > 1")


def test_a_damaged_file_of_a_fold_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot read"):
        read_counts(tmp_path)
    (tmp_path / "explanation.json").write_text(
        '{"speakers": ["a"], "unchanged": [[[1]], [[2]]], "permuted": {}}'
    )
    with pytest.raises(RunError, match="counts do not fit together"):
        read_counts(tmp_path)
    (tmp_path / "explanation.json").write_text('{"speakers": 3}')
    with pytest.raises(RunError, match="is damaged"):
        read_counts(tmp_path)


def test_clips_exchange_only_within_their_corpus() -> None:
    groups = np.array(["a", "b", "a", "b", "b", "a", "c"], dtype=object)
    donors = permute_within(groups, 0)
    assert sorted(donors.tolist()) == [*range(7)]
    assert (groups[donors] == groups).all()
    assert donors.tolist() == permute_within(groups, 0).tolist()
    assert any(permute_within(groups, repeat).tolist() != donors.tolist() for repeat in range(1, 5))


def test_a_donor_is_repeated_or_cut_to_the_length_of_the_clip() -> None:
    own = torch.full((2, 1, 6), -1.0)
    donors = torch.arange(12, dtype=torch.float32).reshape(2, 1, 6)
    found = exchange_frames(own, torch.tensor([5, 2]), donors, torch.tensor([2, 6]))
    assert found[:, 0].tolist() == [[0, 1, 0, 1, 0, -1], [6, 7, -1, -1, -1, -1]]


def test_descriptors_of_a_feature_change_with_this_feature_alone() -> None:
    rows = {"own": 2, "rms": 1, "mel": 16, "chroma": 3}
    starts = np.cumsum([0, *rows.values()])
    columns = {name: slice(int(a), int(a) + n) for (name, n), a in zip(rows.items(), starts, strict=False)}
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((1, int(starts[-1]), 9), generator=generator)
    before = descriptors(x, columns)
    places = descriptor_columns(rows)
    assert sorted(i for each in places.values() for i in range(each.start, each.stop)) == [
        *range(before.shape[1])
    ]
    for name, part in columns.items():
        other = x.clone()
        other[:, part] = torch.rand(other[:, part].shape, generator=generator) + 1
        changed = (descriptors(other, columns) != before).any(dim=2)[0]
        inside = torch.zeros_like(changed)
        inside[places[name]] = True
        assert not changed[~inside].any()
        assert changed[inside].any()
