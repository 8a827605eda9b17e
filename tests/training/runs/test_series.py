"""Series of folds, trained by the tabular baseline, which takes a second."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from featurestore.store import FeatureStore
from schemas.errors import RunError, SplitError, StoppedError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests import commands
from tests.training.damaged import without_hashes
from training import unfinished
from training.campaign import Outcome, train_all
from training.metrics.ensemble_weights import weigh_by_validation
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest

RECIPE = override(
    load_recipe("four-corpora-a"),
    [
        "datasets=null",
        "model.name=functionals",
        "labels.target=emotion",
        "train.views=[0]",
        "split.protocol=kfold:4",
    ],
)


def trained(store: Path, out: Path, *changes: str, **asked: object) -> Outcome:
    request = TrainRequest(
        store=store, recipe=RECIPE, changes=changes, output=out, hardware=Hardware("cpu"), **asked
    )  # type: ignore[arg-type]
    return train_all(request, None, SilentObserver())


@pytest.fixture(scope="module")
def series(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return trained(demo_store, tmp_path_factory.mktemp("runs"))


def test_every_fold_is_a_run_and_every_clip_is_tested_once(series: Outcome, demo_store: Path) -> None:
    assert series.kind == "series"
    assert series.path.name.endswith("-four-corpora-a-kfold")
    assert sorted(path.name for path in series.path.iterdir() if path.is_dir()) == [
        f"fold-{n}" for n in (1, 2, 3, 4)
    ]
    table = pd.read_csv(series.path / "predictions.csv")
    manifest = FeatureStore.open(demo_store).manifest
    assert sorted(table["clip_id"]) == sorted(manifest["clip_id"])
    tested = [
        set(pd.read_csv(series.path / f"fold-{n}" / "predictions.csv")["speaker"]) for n in (1, 2, 3, 4)
    ]
    assert not set.intersection(*tested)
    assert set.union(*tested) == set(manifest["speaker"])


def test_the_summary_is_that_of_the_folds(series: Outcome) -> None:
    summary = json.loads((series.path / "summary.json").read_text())
    found = []
    for n in (1, 2, 3, 4):
        table = pd.read_csv(series.path / f"fold-{n}" / "predictions.csv")
        found.append(balanced_accuracy_score(table["true"], table["predicted"]))
        metrics = json.loads((series.path / f"fold-{n}" / "metrics.json").read_text())
        assert metrics["test"]["emotion"]["ua"] == pytest.approx(found[-1])
        assert metrics["title"] == f"speaker-independent (protocol: kfold, fold {n} of 4)"
    over = summary["over_folds"]["emotion"]["ua"]
    assert (over["mean"], over["sd"]) == pytest.approx((np.mean(found), np.std(found, ddof=1)))
    assert [fold["sentences"] for fold in summary["folds"]] == [
        [{"corpora": ["demo"], "tested": 1, "heard": 1}]
    ] * 4
    note = "Training and test share the only test sentence of demo."
    assert f"\n{note}\n" in series.text
    assert note in (series.path / "report.html").read_text()
    assert series.text.startswith("speaker-independent (protocol: kfold:4, 4 folds): UA ")
    assert {"summary.txt", "README.md", "folds.png", "confusion-emotion.png", "series.json"} <= {
        path.name for path in series.path.iterdir()
    }


def test_a_series_is_resumed_fold_by_fold(series: Outcome, demo_store: Path, tmp_path: Path) -> None:
    """Fold 1 stands, 2 was being trained, of 3 the folder alone was made, 4 was not begun."""
    folder = without_hashes(Path(shutil.copytree(series.path, tmp_path / "series")))
    kept = (folder / "fold-1" / "metrics.json").stat().st_mtime_ns
    (folder / "fold-2" / "metrics.json").unlink()
    (folder / "fold-3" / "metrics.json").unlink()
    (folder / "fold-3" / "run.json").unlink()
    shutil.rmtree(folder / "fold-4")
    for name in ("summary.json", "predictions.csv"):
        (folder / name).unlink()
    request = TrainRequest(store=demo_store, resume=folder, hardware=Hardware("cpu"))
    again = train_all(request, None, SilentObserver())
    assert again.path == folder
    assert (folder / "fold-1" / "metrics.json").stat().st_mtime_ns == kept
    for name in ("summary.json", "predictions.csv"):
        assert (folder / name).read_bytes() == (series.path / name).read_bytes()


def test_a_series_of_another_store_is_not_resumed(series: Outcome, tmp_path: Path, demo_store: Path) -> None:
    folder = without_hashes(Path(shutil.copytree(series.path, tmp_path / "series")))
    record = json.loads((folder / "series.json").read_text())
    (folder / "series.json").write_text(json.dumps({**record, "store_digest": "sha256:other"}))
    with pytest.raises(RunError, match=r"was trained on another store \(sha256:other\)"):
        train_all(TrainRequest(store=demo_store, resume=folder), None, SilentObserver())
    with pytest.raises(UsageError, match="give --store"):
        train_all(TrainRequest(resume=folder), None, SilentObserver())


def test_ctrl_c_names_the_command_that_goes_on_with_the_series(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(unfinished, "train", stopped)
    with pytest.raises(StoppedError, match=r"resume with: ser-train --resume .*kfold --store .*demo\.zarr"):
        trained(demo_store, tmp_path)


def evaluated(*options: object) -> commands.Completed:
    return commands.run("ser-evaluate", *map(str, options), status=None)


@pytest.mark.slow
def test_the_mean_of_two_series_is_tested_fold_by_fold(
    series: Outcome, demo_store: Path, tmp_path: Path
) -> None:
    other = trained(demo_store, tmp_path, "model.name=functionals-lda")
    out = tmp_path / "both"
    done = evaluated(series.path, other.path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Mean of 2 models (functionals, functionals-lda), trained on demo." in done.stdout
    tables = [pd.read_csv(path / "predictions.csv") for path in (series.path, other.path, out)]
    one, two, mean = (table.set_index("clip_id").sort_index() for table in tables)
    classes = one.columns[one.columns.get_loc("predicted") + 1 :]
    np.testing.assert_allclose(mean[classes], (one[classes] + two[classes]) / 2, atol=1e-6)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["pooled"]["emotion"]["ua"] == pytest.approx(
        balanced_accuracy_score(mean["true"], mean["predicted"])
    )
    assert done.stdout.startswith("speaker-independent (protocol: kfold:4, 4 folds): UA ")
    weighted = evaluated(series.path, other.path, "--weights", "validation", "--out", tmp_path / "weighted")
    assert weighted.returncode == 0, weighted.stderr
    assert "Weighted mean of 2 models (functionals, functionals-lda), trained on demo." in weighted.stdout
    summary = json.loads((tmp_path / "weighted" / "summary.json").read_text())
    assert summary["members"] == [series.path.name, other.path.name]
    mixed = pd.read_csv(tmp_path / "weighted" / "predictions.csv").set_index("clip_id")
    for number, fold in enumerate(summary["folds"], 1):
        paths = [folder / f"fold-{number}" for folder in (series.path, other.path)]
        assert fold["weights"]["shares"] == pytest.approx(weigh_by_validation(paths).shares)
        assert fold["weights"]["same_clips"]
        clips = pd.read_csv(paths[0] / "predictions.csv")["clip_id"]
        share = fold["weights"]["shares"][0]
        expected = share * one.loc[clips, classes] + (1 - share) * two.loc[clips, classes]
        np.testing.assert_allclose(mixed.loc[clips, classes], expected, atol=1e-6)
    assert len({fold["weights"]["shares"][0] for fold in summary["folds"]}) > 1


def test_one_series_is_summed_up_again(series: Outcome) -> None:
    done = evaluated(series.path)
    assert (done.returncode, done.stdout.strip()) == (0, series.text.strip())


@pytest.mark.slow
def test_series_that_do_not_belong_together_are_refused(
    series: Outcome, demo_store: Path, tmp_path: Path
) -> None:
    loso = trained(demo_store, tmp_path, "split.protocol=kfold:2")
    done = evaluated(series.path, loso.path)
    assert done.returncode == 1
    assert "they differ in their protocol (kfold:4; kfold:2)" in " ".join(done.stderr.split())
    reseeded = trained(demo_store, tmp_path, seed=1)
    done = evaluated(series.path, reseeded.path)
    assert "train both series with the same --seed" in " ".join(done.stderr.split())
    done = evaluated(series.path, series.path / "fold-1")
    assert "is not a series of folds" in " ".join(done.stderr.split())
    done = evaluated(series.path, "--store", demo_store)
    assert (done.returncode, "leave out --store" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_one_fold_alone_is_a_run(series: Outcome, demo_store: Path, tmp_path: Path) -> None:
    alone = trained(demo_store, tmp_path, fold=3)
    assert alone.kind == "run"
    of_series = json.loads((series.path / "fold-3" / "metrics.json").read_text())
    assert json.loads((alone.path / "metrics.json").read_text()) == of_series
    with pytest.raises(UsageError, match="--fold 5: the protocol has folds 1 to 4"):
        trained(demo_store, tmp_path, fold=5)


def test_a_split_that_was_written_down_is_used_instead_of_a_protocol(
    series: Outcome, demo_store: Path, tmp_path: Path
) -> None:
    again = trained(demo_store, tmp_path, split=series.path / "fold-2" / "split.json")
    assert again.kind == "run"
    metrics = [(folder / "metrics.json").read_text() for folder in (again.path, series.path / "fold-2")]
    assert metrics[0] == metrics[1]
    assert again.text.startswith("speaker-independent (protocol: kfold, fold 2 of 4)")


def test_more_folds_than_speakers_leave_no_folder(demo_store: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="kfold:99"):
        trained(demo_store, tmp_path / "runs", "split.protocol=kfold:99")
    assert not (tmp_path / "runs").exists()


def test_torchrun_trains_one_fold_at_a_time(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="choose one fold with --fold"):
        trained(demo_store, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_workers_are_for_folds(demo_store: Path, tmp_path: Path) -> None:
    from featurestore.cluster.request import ClusterRequest

    request = TrainRequest(
        store=demo_store, recipe=RECIPE, changes=("split.protocol=speaker",), output=tmp_path / "runs"
    )
    with pytest.raises(UsageError, match="leave out --workers and --scheduler"):
        train_all(request, ClusterRequest(workers=2), SilentObserver())
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_dask_workers_give_the_summary_of_one_process(
    series: Outcome, demo_store: Path, tmp_path: Path
) -> None:
    from featurestore.cluster.request import ClusterRequest

    heard: list[str] = []

    class Hearer(SilentObserver):
        def notice(self, sentence: str) -> None:
            heard.append(sentence)

    request = TrainRequest(store=demo_store, recipe=RECIPE, output=tmp_path, hardware=Hardware("cpu"))
    found = train_all(request, ClusterRequest(workers=2), Hearer())
    assert found.text == series.text
    assert (found.path / "predictions.csv").read_bytes() == (series.path / "predictions.csv").read_bytes()
    assert sum(sentence.startswith("fold ") for sentence in heard) == 4


@pytest.mark.slow
def test_a_fold_that_fails_in_a_worker_keeps_no_other_from_being_trained(
    series: Outcome, demo_store: Path, tmp_path: Path
) -> None:
    from featurestore.cluster.request import ClusterRequest

    folder = without_hashes(Path(shutil.copytree(series.path, tmp_path / "series")))
    for n in (2, 3):
        (folder / f"fold-{n}" / "metrics.json").unlink()
    (folder / "fold-2" / "split.json").write_text("{}")
    request = TrainRequest(store=demo_store, resume=folder, hardware=Hardware("cpu"))
    with pytest.raises(RunError, match=r"split\.json is not a split"):
        train_all(request, ClusterRequest(workers=2), SilentObserver())
    assert (folder / "fold-3" / "metrics.json").exists()
    assert not (folder / "fold-2" / "metrics.json").exists()
