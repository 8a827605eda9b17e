"""Comparisons of trained results, against plain arithmetic on their tables of predictions."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score

from schemas.errors import RunError, UsageError
from schemas.overrides import override
from tests import commands
from tests.encoder_store import vector_recipe
from tests.training.damaged import without_hashes
from tests.training.report.page.reading import Page
from training.campaign import train_all
from training.comparison.compare import ComparisonRequest, compare_results
from training.plan import make
from training.report.differences.record import ResultComparison
from training.report.differences.text import comparison_text
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest

EMOTIONS = ("angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


def trained(store: Path, out: Path, *changes: str) -> Path:
    recipe = override(vector_recipe("lda", "kfold:2"), ["train.views=[0]", *changes])
    request = TrainRequest(store=store, recipe=recipe, output=out, name="fits", hardware=Hardware("cpu"))
    return train_all(request, None, SilentObserver()).path


@pytest.fixture(scope="module", autouse=True)
def no_search_for_near_duplicates() -> Iterator[None]:
    """It takes most of the time of such a training, and is tested with the audits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "near_duplicates", lambda store, split: None)
        yield


@pytest.fixture(scope="module")
def root(encoder_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three series on the same folds: ``plain``, ``shrunk``, and ``sexes``, which predicts gender too."""
    root = tmp_path_factory.mktemp("runs")
    for name, changes in (
        ("plain", ("labels.target=emotion",)),
        ("shrunk", ("labels.target=emotion", "model.shrinkage=0.98")),
        ("sexes", ("labels.target=gender_emotion", "model.shrinkage=0.5")),
    ):
        trained(encoder_store, root / name, *changes).rename(root / f"{name}-kfold")
        (root / name).rmdir()
    return root


def table_of(path: Path, mean_with: Path | None = None) -> pd.DataFrame:
    """True and predicted emotion of each clip, by clip, sorted."""
    table = pd.read_csv(path / "predictions.csv").set_index("clip_id").sort_index()
    if mean_with is not None:
        other = pd.read_csv(mean_with / "predictions.csv").set_index("clip_id").sort_index()
        classes = list(table.columns[table.columns.get_loc("predicted") + 1 :])
        table["predicted"] = (table[classes] + other[classes]).idxmax(axis=1)
    for column in ("true", "predicted"):
        table[column] = table[column].str.removeprefix("female_").str.removeprefix("male_")
    return table


def compare(runs: list[Path], against: list[Path], *, each: bool = False) -> tuple[ResultComparison, ...]:
    return compare_results(ComparisonRequest(tuple(runs), tuple(against), each=each)).comparisons


def test_every_figure_is_that_of_the_tables(root: Path) -> None:
    (found,) = compare([root / "shrunk-kfold"], [root / "plain-kfold"])
    one, two = table_of(root / "shrunk-kfold"), table_of(root / "plain-kfold")
    overall = {each.figure: each.difference for each in found.figures.overall}
    for figure, rate in (
        ("UA", balanced_accuracy_score),
        ("WA", lambda true, predicted: (true == predicted).mean()),
        ("macro-F1", lambda true, predicted: f1_score(true, predicted, average="macro")),
    ):
        expected = [rate(each["true"], each["predicted"]) for each in (one, two)]
        assert [overall[figure].first, overall[figure].second] == pytest.approx(expected)
        assert overall[figure].value == pytest.approx(expected[0] - expected[1])
    right = [(each["true"] == each["predicted"]).to_numpy() for each in (one, two)]
    for part in found.figures.by_part:
        clips = (one["true"] == part.name).to_numpy()
        assert part.difference.value == pytest.approx(right[0][clips].mean() - right[1][clips].mean())
        assert part.support == clips.sum()
    assert tuple(part.name for part in found.figures.by_part) == EMOTIONS
    for part in found.figures.by_gender:
        rows = [each[one["gender"] == part.name] for each in (one, two)]
        ua = [balanced_accuracy_score(each["true"], each["predicted"]) for each in rows]
        assert part.difference.value == pytest.approx(ua[0] - ua[1])
        assert part.speakers == rows[0]["speaker"].nunique() == 8
    assert [part.name for part in found.figures.by_corpus] == ["demo"]
    mcnemar = found.figures.mcnemar
    assert mcnemar is not None
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    assert [mcnemar.only_first, mcnemar.only_second] == only
    assert mcnemar.p == pytest.approx(binomtest(only[0], sum(only)).pvalue)
    by_speaker = [
        [balanced_accuracy_score(rows["true"], rows["predicted"]) for _, rows in each.groupby("speaker")]
        for each in (one, two)
    ]
    higher = np.sign(np.round(np.subtract(*by_speaker), 9)).tolist()
    counts = found.figures.by_speaker
    assert [counts.first, counts.second, counts.equal] == [higher.count(x) for x in (1, -1, 0)]


def test_series_are_also_compared_fold_by_fold(root: Path) -> None:
    (found,) = compare([root / "shrunk-kfold"], [root / "plain-kfold"])
    ua = [
        [
            json.loads((root / name / f"fold-{n}" / "metrics.json").read_text())["test"]["emotion"]["ua"]
            for n in (1, 2)
        ]
        for name in ("shrunk-kfold", "plain-kfold")
    ]
    over = found.over_folds
    assert over is not None
    assert (over.first.mean, over.second.mean) == pytest.approx((np.mean(ua[0]), np.mean(ua[1])))
    differences = np.subtract(*ua)
    assert (over.difference.mean, over.difference.sd) == pytest.approx(
        (differences.mean(), differences.std(ddof=1))
    )
    assert (over.folds, over.better) == (2, (differences > 0).sum())


def test_models_of_different_targets_compare_by_their_emotions(root: Path) -> None:
    (found,) = compare([root / "sexes-kfold"], [root / "plain-kfold"])
    stored = json.loads((root / "sexes-kfold" / "summary.json").read_text())["pooled"]["emotion"]["ua"]
    assert found.figures.headline.difference.first == pytest.approx(stored)


def test_several_runs_on_a_side_are_their_mean(root: Path) -> None:
    (found,) = compare([root / "shrunk-kfold", root / "plain-kfold"], [root / "plain-kfold"])
    mean = table_of(root / "shrunk-kfold", root / "plain-kfold")
    assert found.figures.headline.difference.first == pytest.approx(
        balanced_accuracy_score(mean["true"], mean["predicted"])
    )
    assert found.result.name == "the mean of shrunk-kfold and plain-kfold"
    assert found.sentence.startswith(
        ("The mean of shrunk-kfold and plain-kfold ", "No difference between the ")
    )
    folds = [root / name / "fold-1" for name in ("shrunk-kfold", "plain-kfold")]
    (of_runs,) = compare([folds[0]], folds)
    mean = table_of(*folds)
    assert of_runs.figures.headline.difference.second == pytest.approx(
        balanced_accuracy_score(mean["true"], mean["predicted"])
    )
    assert of_runs.over_folds is None
    assert of_runs.result.name == "shrunk-kfold/fold-1"


def test_each_of_several_is_compared_and_p_is_corrected(root: Path) -> None:
    runs = [root / "shrunk-kfold", root / "sexes-kfold"]
    found = compare(runs, [root / "plain-kfold"], each=True)
    alone = [compare([run], [root / "plain-kfold"])[0] for run in runs]
    assert [each.figures for each in found] == [each.figures for each in alone]
    p_values = [each.figures.headline.difference.p for each in alone]
    assert all(p is not None for p in p_values)
    small, large = sorted(filter(None, p_values))
    corrected = {small: min(1, 2 * small), large: max(min(1, 2 * small), large)}
    assert [each.adjusted_p for each in found] == [corrected[p] for p in p_values if p is not None]
    assert alone[0].adjusted_p == p_values[0]


def test_the_command_prints_and_writes_a_comparison(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runs = (root / "shrunk-kfold", "--against", root / "plain-kfold")
    done = commands.run("ser-evaluate", *runs, "--out", out)
    found = compare_results(ComparisonRequest((root / "shrunk-kfold",), (root / "plain-kfold",)))
    assert done.stdout.strip() == comparison_text(found).strip()
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert {path.name for path in out.iterdir()} == {
        "comparison.json", "differences.csv", "differences.png", "report.html", "report.txt",
    }  # fmt: skip
    values = json.loads((out / "comparison.json").read_text())
    assert values == json.loads(json.dumps(found.to_json()))
    assert json.loads(commands.run("ser-evaluate", *runs, "--json").stdout) == values
    assert str(root) not in (out / "comparison.json").read_text()
    rows = list(csv.DictReader((out / "differences.csv").open()))
    assert len(rows) == 3 + len(EMOTIONS) + 1 + 2
    assert {row["part"] for row in rows} == {"all", "emotion", "corpus", "gender"}
    for row in rows:
        assert float(row["difference"]) == pytest.approx(float(row["value"]) - float(row["baseline_value"]))
    page = Page((out / "report.html").read_text())
    cells = page.table("recall of")
    assert list(cells) == list(EMOTIONS)
    assert found.comparisons[0].sentence in page.text
    links = [link for link in page.links if not link.startswith("#")]
    assert all((out / link).is_file() for link in links)
    assert values["baseline"]["members"][0]["predictions_sha256"] in page.text


def test_an_overview_shows_every_result(root: Path, tmp_path: Path) -> None:
    runs = (root / "shrunk-kfold", root / "sexes-kfold", "--each", "--against", root / "plain-kfold")
    done = commands.run("ser-evaluate", *runs, "--out", tmp_path / "out")
    assert max(map(len, done.stdout.splitlines())) <= 100
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line[:2] in ("A1", "A2", "B ", "B:")] == [
        "A1:", "A2:", "B:", "A1", "A2", "B",
    ]  # fmt: skip
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert len(page.pictures) == 3
    assert page.table("result")["A1"][-1] in ("none", "better", "worse")


def test_requests_that_have_no_answer_are_a_sentence(root: Path, tmp_path: Path) -> None:
    one, two = root / "shrunk-kfold", root / "plain-kfold"

    def refused(*options: object, status: int = 2) -> str:
        return " ".join(commands.run("ser-evaluate", *map(str, options), status=status).stderr.split())

    against = ("--against", two)
    assert "leave out --store, --views" in refused(one, *against, "--store", "x", "--views", "all")
    assert "leave out --against" in refused(one, *against, "--verify")
    assert "is compared with itself" in refused(two, *against)
    assert "is compared with itself" in refused(one, two, "--each", *against)
    assert "is given twice" in refused(one, *against, *against)
    assert "--each is for several runs" in refused(one, "--each", *against)
    assert "give --against, or leave out --each" in refused(one, two, "--each")
    assert "--weights validation is for the mean of" in refused(one, *against, "--weights", "validation")
    assert "give either series or runs, not both" in refused(one, two / "fold-1", *against)
    assert "is the folder of a training run" in refused(one, *against, "--out", two)
    assert "is not a run folder" in refused(tmp_path, *against, status=1)
    message = refused(one / "fold-1", "--against", two / "fold-2", status=1)
    assert "112 of 112 clips were tested in only one of them, such as demo/" in message


def test_predictions_that_were_changed_or_are_missing_are_refused(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root / "shrunk-kfold", tmp_path / "copy"))
    predictions = copy / "fold-1" / "predictions.csv"
    text = predictions.read_text()
    predictions.write_text(text.replace("angry", "happy", 1))
    with pytest.raises(RunError, match="SHA-256"):
        compare([copy], [root / "plain-kfold"])
    with pytest.raises(RunError, match="SHA-256"):
        compare([root / "plain-kfold" / "fold-1"], [copy / "fold-1"])
    predictions.write_text(text)
    without_hashes(copy)
    request = ComparisonRequest((copy,), (root / "plain-kfold",))
    (notice,) = compare_results(request).notices
    assert "carries no hashes" in notice
    (copy / "fold-2" / "metrics.json").unlink()
    with pytest.raises(RunError, match=r"fold 2 of .* is not finished"):
        compare([copy], [root / "plain-kfold"])
    with pytest.raises(RunError, match="is not finished; resume with: ser-train --resume"):
        compare([copy / "fold-2"], [root / "plain-kfold" / "fold-2"])


def test_runs_of_one_name_are_told_apart(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root / "shrunk-kfold", tmp_path / "plain-kfold"))
    (found,) = compare([copy], [root / "plain-kfold"])
    assert found.result.name == f"{tmp_path.name}/plain-kfold"


def test_a_result_is_not_compared_with_itself(root: Path) -> None:
    runs = (root / "plain-kfold", root / "shrunk-kfold")
    with pytest.raises(UsageError, match="compared with itself"):
        compare_results(ComparisonRequest(runs, (runs[1], runs[0])))
