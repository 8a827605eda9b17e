"""Whole searches on the demo store, with linear models and a small network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featurestore.cluster.request import ClusterRequest
from featurestore.store import FeatureStore
from schemas.errors import RunError, StoppedError, UsageError
from schemas.overrides import override
from tests.training.runs.test_series import RECIPE
from training.campaign import Outcome, train_all
from training.linear.classifier import LinearClassifier
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder
from training.samples.samples import cross
from training.search.request import SearchRequest
from training.splits.split import Split
from training.vectors.clip_vectors import vectors_of
from training.vectors.source import read_vectors

SPACE = """
[fields."model.c"]
low = 1e-5
high = 1e-1
log = true
[fields."train.class_weights"]
choices = ["none", "balanced"]
"""

NETWORK = override(
    RECIPE,
    [
        "model.name=A",
        "model.channels=[4, 4]",
        "model.pools=[[4, 4], [4, 4]]",
        "model.hidden=4",
        "train.epochs=3",
        "split.protocol=speaker",
    ],
)


class Stopper(SilentObserver):
    """Ends the search as Ctrl-C or a kill does, when trial ``number`` has ended."""

    def __init__(self, number: int) -> None:
        self._word = f"trial {number} of"

    def notice(self, sentence: str) -> None:
        if self._word in sentence:
            raise KeyboardInterrupt


class Killer(Stopper):
    def notice(self, sentence: str) -> None:
        if self._word in sentence:
            os.kill(os.getpid(), signal.SIGKILL)


def request_of(store: Path, out: Path, protocol: str = "speaker") -> TrainRequest:
    changes = (f"split.protocol={protocol}",)
    return TrainRequest(
        store=store, recipe=RECIPE, changes=changes, output=out, seed=1, hardware=Hardware("cpu")
    )


def search(store: Path, out: Path, trials: int = 5, protocol: str = "speaker", **options: object) -> Outcome:
    space = out.parent / "space.toml"
    space.write_text(SPACE)
    observer = options.pop("observer", SilentObserver())
    cluster = options.pop("cluster", None)
    request = replace(request_of(store, out, protocol), fold=options.pop("fold", None))  # type: ignore[arg-type]
    return train_all(request, cluster, observer, SearchRequest(str(space), trials, 3))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def nested(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return search(demo_store, tmp_path_factory.mktemp("nested") / "runs", 4, "kfold:2")


@pytest.fixture(scope="module")
def single(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return search(demo_store, tmp_path_factory.mktemp("single") / "runs")


def test_each_fold_has_its_own_trials_and_one_test(nested: Outcome) -> None:
    assert nested.kind == "search"
    assert nested.path.name.endswith("-four-corpora-a-kfold-search")
    result = json.loads((nested.path / "search-result.json").read_text())
    assert result["trials"] == 8
    assert [len(fold["trials"]) for fold in result["folds"]] == [4, 4]
    assert result["title"].startswith("speaker-independent, best of 4 configurations by validation per fold")
    assert result["claim"]["configurations"] == 4
    for number, fold in enumerate(result["folds"], start=1):
        run = RunFolder.open(nested.path / f"fold-{number}")
        searched = run.record().searched
        assert searched is not None
        assert (searched.trials, searched.inner_folds) == (4, 3)
        best = max(fold["trials"], key=lambda trial: trial["ua"] or 0)
        assert searched.validation_ua == fold["validation_ua"] == best["ua"] == np.mean(best["fold_ua"])
        assert f"model.c={run.record().recipe.model.model_dump()['c']}" in best["changes"]  # type: ignore[union-attr]
        tested = pd.read_csv(run.path / "predictions.csv")
        assert fold["test_ua"] == pytest.approx(balanced_accuracy_score(tested["true"], tested["predicted"]))
        assert run.read_json("metrics.json")["title"].startswith(
            "speaker-independent, best of 4 configurations by validation (protocol"
        )


def test_the_best_is_trained_on_training_and_validation_clips(single: Outcome, demo_store: Path) -> None:
    run = RunFolder.open(single.path / "fold-1")
    record, split = run.record(), Split.read(run.path / "split.json")
    store = FeatureStore.open(demo_store)
    known = np.sort(
        np.concatenate([split.positions(store.manifest, side) for side in ("train", "validation")])
    )
    samples = cross(known, np.zeros(len(known), dtype=np.int64), [0])
    vectors = vectors_of(record.recipe, store.spec, record.features)
    values = read_vectors(store, samples, record.features, vectors, torch.device("cpu")).numpy()
    classes = store.manifest["emotion"].iloc[known].map({name: i for i, name in enumerate(record.classes)})
    spec = record.recipe.model.model_dump()
    weights = record.recipe.train.class_weights
    svm = LinearSVC(
        C=spec["c"],
        random_state=0,
        max_iter=10_000,
        class_weight=None if weights == "none" else weights,
    )
    svm.fit(StandardScaler().fit_transform(values.astype(float)), classes)
    found = LinearClassifier.load(run.linear)
    np.testing.assert_allclose(found.coef[np.unique(classes)], svm.coef_, atol=1e-6)
    held_out = pd.read_csv(run.path / "validation.csv")
    assert {*held_out["clip_id"]} == {*split.validation}


def test_the_report_has_every_trial_and_the_count(nested: Outcome) -> None:
    text = (nested.path / "search.txt").read_text()
    page = (nested.path / "search.html").read_text()
    assert "configurations tried in 8 trials, over 2 folds with a search each" in text.replace("\n", " ")
    for content in (text, page):
        assert content.count("model.c=") >= 8
        assert "fANOVA" in content
        assert "test − validation" in content
    assert page.count("<img") == 2
    assert "search-result.json" in (nested.path / "hashes.json").read_text()


def test_optuna_reads_the_file_with_the_trials(nested: Outcome) -> None:
    result = json.loads((nested.path / "search-result.json").read_text())
    storage = f"sqlite:///{nested.path / 'trials.sqlite'}"
    for number, fold in enumerate(result["folds"], start=1):
        study = optuna.load_study(study_name=f"fold-{number}", storage=storage)
        assert study.best_value == fold["validation_ua"]
        assert len(study.trials) == 4


def configurations(path: Path) -> list[tuple[object, ...]]:
    result = json.loads((path / "search-result.json").read_text())
    return [
        (trial["number"], trial["state"], *trial["changes"], trial["ua"])
        for fold in result["folds"]
        for trial in fold["trials"]
    ]


def test_a_stopped_search_resumes_with_the_same_trials(
    single: Outcome, demo_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    with pytest.raises(StoppedError, match="finished trials are kept; resume with: ser-train --resume"):
        search(demo_store, out, observer=Stopper(2))
    (folder,) = out.iterdir()
    resumed = train_all(
        TrainRequest(store=demo_store, resume=folder, hardware=Hardware("cpu")), None, SilentObserver()
    )
    assert resumed.path == folder
    assert configurations(folder) == configurations(single.path)
    one, two = (json.loads((path / "fold-1/metrics.json").read_text()) for path in (folder, single.path))
    assert one == two


def test_a_killed_search_continues_when_the_same_command_runs_again(
    single: Outcome, demo_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    out.mkdir()
    code = (
        "from pathlib import Path\nimport sys\n"
        "from tests.training.search.test_search import Killer, search\n"
        "search(Path(sys.argv[1]), Path(sys.argv[2]), observer=Killer(3))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, demo_store, out], check=False, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    (folder,) = out.iterdir()
    assert search(demo_store, out).path == folder
    assert configurations(folder) == configurations(single.path)
    assert search(demo_store, out).path != folder  # it is finished: a new search
    record = (folder / "series.json").read_text()
    digest = json.loads(record)["store_digest"]
    other = tmp_path / "other"
    other.mkdir()
    for name in ("search.json", "trials.sqlite"):
        (other / name).write_bytes((folder / name).read_bytes())
    (other / "series.json").write_text(record.replace(digest, "sha256:" + "0" * 64))
    with pytest.raises(RunError, match="another store"):
        train_all(TrainRequest(store=demo_store, resume=other), None, SilentObserver())


def test_a_network_is_trained_for_the_epochs_of_the_inner_folds(demo_store: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text('[fields."train.lr"]\nlow = 1e-3\nhigh = 1e-2\nlog = true\n')
    request = TrainRequest(
        store=demo_store, recipe=NETWORK, output=tmp_path / "runs", hardware=Hardware("cpu")
    )
    found = train_all(request, None, SilentObserver(), SearchRequest(str(space), 2, 2))
    run = RunFolder.open(found.path / "fold-1")
    best = found.to_json()["folds"][0]["best"]
    train = run.record().recipe.train
    assert train.epochs == max(1, round(np.mean(best["epochs"])))
    assert (train.monitor, train.patience) == ("last", None)
    assert run.read_json("metrics.json")["epochs"] == train.epochs
    split = Split.read(run.path / "split.json")
    validation = pd.read_csv(run.path / "validation.csv")
    assert {*validation["clip_id"]} == {*split.validation}
    assert len(best["fold_ua"]) == 2
    assert "but the curves are of clips it has heard" in (run.path / "README.md").read_text()


def test_a_fold_alone_keeps_its_number_in_the_claim(demo_store: Path, tmp_path: Path) -> None:
    found = search(demo_store, tmp_path / "runs", 1, "kfold:2", fold=2).to_json()
    assert "best of 1 configuration by validation (protocol: kfold:2, fold 2 of 2)" in found["title"]
    assert (found["claim"]["fold"], found["claim"]["folds"]) == (2, 2)


def test_the_card_says_what_the_validation_clips_were_used_for(single: Outcome) -> None:
    run = RunFolder.open(single.path / "fold-1")
    split = Split.read(run.path / "split.json")
    card = (run.path / "README.md").read_text()
    assert "used to choose the configuration" in card
    assert "curves" not in card
    fitted = len(split.train) + len(split.validation)
    assert f"| train + validation, trained on | {fitted} |" in " ".join(card.split(" ")).replace("  ", "")
    page = (run.path / "report.html").read_text()
    assert "used to choose the configuration" in page
    assert "train + validation, trained on" in page


def test_a_finished_search_is_explained(nested: Outcome, demo_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(nested.path, folder)
    request = TrainRequest(store=demo_store, resume=folder, hardware=Hardware("cpu"), explain=True)
    again = train_all(request, None, SilentObserver()).to_json()
    assert again["folds"] == nested.to_json()["folds"]
    assert all((folder / f"fold-{number}" / "explanation.json").is_file() for number in (1, 2))


def test_requests_that_a_search_cannot_follow_are_refused(demo_store: Path, tmp_path: Path) -> None:
    def refuse(message: str, *changes: str) -> None:
        request = TrainRequest(
            store=demo_store, recipe=RECIPE, changes=changes, output=tmp_path, hardware=Hardware("cpu")
        )
        with pytest.raises(UsageError, match=message):
            train_all(request, None, SilentObserver(), SearchRequest("default", 2, 2))
        assert not list(tmp_path.iterdir())

    refuse("leave out --leak-views", "split.protocol=random", "split.leak_views=true")
    ridge = ("labels.target=regression", "model.name=functionals-ridge", "train.class_weights=none")
    refuse("labels.target is regression", *ridge)


@pytest.mark.slow(seconds=25)
def test_workers_run_trials_side_by_side(demo_store: Path, tmp_path: Path) -> None:
    found = search(demo_store, tmp_path / "runs", 6, cluster=ClusterRequest(workers=2))
    (fold,) = found.to_json()["folds"]
    assert sorted(trial["number"] for trial in fold["trials"]) == [1, 2, 3, 4, 5, 6]
    assert fold["validation_ua"] == max(trial["ua"] or 0 for trial in fold["trials"])
