from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser
from sklearn import metrics as sk

from schemas.labels import Target, label_set
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests import commands
from tests.pages import require_readable
from tests.training.claims import claim
from tests.training.report.page.reading import Page
from training.metrics.evaluation import evaluate_predictions
from training.metrics.predictions import Predictions
from training.report import files as outcome
from training.report.files import write_result
from training.report.page.run_page import run_page
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder
from training.splits.claim import Claim
from training.train import train

HOSTILE = '<script>alert(1)</script><img src="https://example.org/x">'


def trained(store: Path, out: Path, *changes: str) -> RunResult:
    recipe = override(load_recipe("four-corpora-a"), ["datasets=null"])
    return train(
        TrainRequest(store=store, recipe=recipe, changes=changes, output=out, hardware=Hardware("cpu"))
    )


@pytest.fixture(scope="module")
def result(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    out = tmp_path_factory.mktemp("runs")
    return trained(demo_store, out, "train.views=[0, 1]", "train.epochs=2", "split.test=0.4")


@pytest.fixture(scope="module")
def page(result: RunResult) -> Page:
    return Page((result.folder.path / "report.html").read_text())


@pytest.fixture(scope="module")
def table(result: RunResult) -> pd.DataFrame:
    """Every test clip with the emotion that is true and the most probable one, genders summed up."""
    found = pd.read_csv(result.folder.path / "predictions.csv")
    emotions = sorted({name.partition("_")[2] for name in result.record.classes})
    sums = pd.DataFrame({e: found[f"female_{e}"] + found[f"male_{e}"] for e in emotions})
    return found.assign(emotion=found["true"].str.partition("_")[2], said=sums.idxmax(axis=1))


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


@pytest.mark.slow
def test_the_figures_are_those_of_the_predictions(page: Page, table: pd.DataFrame) -> None:
    ua = sk.balanced_accuracy_score(table["emotion"], table["said"])
    wa = sk.accuracy_score(table["emotion"], table["said"])
    f1 = sk.f1_score(table["emotion"], table["said"], average="macro")
    rates = page.table("classes")["emotion"]
    assert rates[::2] == [percent(ua), percent(wa), percent(f1), "7 of 7"]
    own = sk.balanced_accuracy_score(table["true"], table["predicted"])
    assert page.table("classes")["gender × emotion"][0] == percent(own)
    assert percent(ua) in page.text.split("Result")[0], "before anything else"
    assert page.facts["test clips"] == str(len(table))
    assert page.facts["test speakers"] == str(table["speaker"].nunique())
    assert page.facts["chance level of UA"] == percent(1 / 7)


def test_classes_and_groups_are_those_of_the_predictions(page: Page, table: pd.DataFrame) -> None:
    names = sorted(table["emotion"].unique())
    precision, recall, f1, clips = sk.precision_recall_fscore_support(
        table["emotion"], table["said"], labels=names, zero_division=0
    )
    for i, name in enumerate(names):
        cells = page.table("emotion")[name]
        assert cells[::2] == [*(percent(rate[i]) for rate in (precision, recall, f1)), str(clips[i])]
    for kind, column in (("gender", "gender"), ("corpus", "dataset"), ("speaker", "speaker")):
        rows = page.table(kind)
        assert rows.keys() == set(table[column])
        for name, part in table.groupby(column):
            ua = sk.balanced_accuracy_score(part["emotion"], part["said"])
            assert rows[str(name)][1 if kind == "speaker" else 0] == percent(ua)
    matrix = sk.confusion_matrix(table["emotion"], table["said"], labels=names)
    shown = next(rows for rows in page.tables if rows[0][0] == "true \\ predicted")
    assert [[int(cell) for cell in row[1:]] for row in shown[1:]] == matrix.tolist()


def test_intervals_are_those_of_metrics_json(page: Page, result: RunResult) -> None:
    values = json.loads((result.folder.path / "metrics.json").read_text())["test"]["emotion"]

    def cell(found: dict[str, float] | None) -> str:
        return "–" if found is None else f"{100 * found['low']:.1f}–{100 * found['high']:.1f}"

    whole = values["intervals"]
    assert page.table("classes")["emotion"][1:6:2] == [cell(whole[r]) for r in ("ua", "wa", "macro_f1")]
    assert f"UA ({cell(whole['ua'])})" in page.facts
    for group in values["by_gender"]:
        found = group["intervals"]
        expected = [cell(None if found is None else found[rate]) for rate in ("ua", "wa", "macro_f1")]
        assert page.table("gender")[group["name"]][1:6:2] == expected
        assert (found is None) == (group["speakers"] < 3)
    for each in values["per_class"]:
        expected = [cell(each["intervals"][rate]) for rate in ("precision", "recall", "f1")]
        assert page.table("emotion")[each["name"]][1:6:2] == expected


def test_split_and_audit_are_told(page: Page, result: RunResult) -> None:
    audit = json.loads((result.folder.path / "audit.json").read_text())
    answers = page.table("check of the split")
    assert answers.keys() == {check["question"] for check in audit["checks"]}
    assert answers["Is each speaker on one side?"] == ["yes", "0"]
    sides = page.table("side")
    split = json.loads((result.folder.path / "split.json").read_text())
    for side in ("train", "validation", "test"):
        assert sides[side][0] == str(len(split[side]))
        heard = {clip.rpartition("_")[0] for clip in split[side]}
        assert len(heard) >= len(page.facts[side].split(", ")) == int(sides[side][1])
    assert sides["train"][2:] == ["2", str(2 * len(split["train"]))]
    assert set(page.facts["test"].split(", ")) == set(result.predictions.speaker)  # type: ignore[union-attr]
    assert "audit.json proves that no speaker and no recording is on two sides" in page.text


def test_the_page_names_what_differs_from_the_shipped_recipe(page: Page) -> None:
    rows = page.table("field")
    assert rows["train.epochs"] == ["200", "2"]
    assert rows["split.test"] == ["0.15", "0.4"]
    assert "train.lr" not in rows


def test_a_page_can_be_read_on_a_laptop_and_on_a_telephone(
    result: RunResult, browser: Browser, tmp_path: Path
) -> None:
    require_readable(browser, result.folder.path / "report.html", tmp_path)
    assert (result.folder.path / "report.html").stat().st_size < 2e6


def test_links_lead_to_files_of_the_run(page: Page, result: RunResult) -> None:
    for link in page.links:
        if not link.startswith("#"):
            assert (result.folder.path / link).is_file(), link


def test_a_network_has_curves_and_a_command_to_watch_them(page: Page) -> None:
    assert [alt for alt in page.pictures if alt.startswith("Losses over 2 epochs")]
    assert "tensorboard --logdir RUN/tensorboard" in page.code[-1]


@pytest.mark.slow
def test_equal_runs_have_equal_pages_but_for_their_time(result: RunResult) -> None:
    html, later = run_page(result), "2001-02-03T04:05:06+00:00"
    moved = replace(
        result,
        folder=RunFolder(Path("elsewhere")),
        record=result.record.model_copy(update={"created": later}),
    )
    assert run_page(moved).replace(later, result.record.created) == html


def test_what_others_named_is_text_never_markup(result: RunResult) -> None:
    record = result.record.model_copy(
        update={"recipe": result.record.recipe.model_copy(update={"where": HOSTILE, "description": HOSTILE})}
    )
    found = replace(
        result,
        record=record,
        notices=(HOSTILE,),
        speakers={"train": (HOSTILE,)},
        corpora=dict.fromkeys(result.corpora, (HOSTILE,)),
        claim=claim(protocol=None, tested_on=(HOSTILE,)),
    )
    html = run_page(found)
    assert "<script" not in html
    assert "<img src=&#34;" not in html.replace("&lt;img src=&#34;", "")
    assert "https://example.org" in Page(html).text


@pytest.mark.parametrize(
    ("tested", "word"),
    [
        (claim("leaky", "random"), "copies of the test recordings"),
        (claim("speaker-dependent", "random"), "training heard the test speakers"),
        (claim(protocol="loso", normalised_by_speaker=True), "nothing about a single clip"),
    ],
)
def test_a_result_with_a_catch_says_so_before_its_figures(
    result: RunResult, tested: Claim, word: str
) -> None:
    found = Page(run_page(replace(result, claim=tested)))
    assert len(found.warnings) == 1
    assert word in found.warnings[0]
    assert found.text.index(found.warnings[0][:40]) < found.text.index("UA ")
    assert tested.title in found.text.split("Warning")[0]


def test_an_honest_result_has_no_warning(page: Page) -> None:
    assert page.warnings == []
    assert page.headings == ["Model A, trained on demo"]


def test_a_run_without_epochs_with_unseen_classes_and_one_speaker_has_a_page(result: RunResult) -> None:
    whole = result.predictions
    assert whole is not None
    keep = [
        i
        for i, speaker in enumerate(whole.speaker)
        if speaker == whole.speaker[0] and not whole.classes[whole.true[i]].endswith("_sad")
    ]
    part = Predictions(
        classes=whole.classes,
        view=whole.view[keep],
        true=whole.true[keep],
        probabilities=whole.probabilities[keep],
        **{c: tuple(getattr(whole, c)[i] for i in keep) for c in ("clip_id", "dataset", "speaker", "gender")},
    )
    test = evaluate_predictions(part, label_set("common7"), Target.GENDER_EMOTION)
    found = Page(
        run_page(replace(result, test=test, predictions=part, history=(), best_epoch=None, parameters=None))
    )
    assert found.table("classes")["emotion"][1::2] == ["–", "–", "–"]
    assert found.table("classes")["emotion"][-1] == "6 of 7"
    assert found.table("emotion")["sad"] == ["–"] * 6 + ["0"]
    assert found.facts["epoch of the weights"] == "no epochs"
    assert "There are no curves" in found.text
    assert "No interval: the speaker bootstrap needs at least 3 test speakers" in found.text
    assert "There is only one test speaker" in found.text
    assert not [alt for alt in found.pictures if alt.startswith(("Losses", "UA by speaker"))]
    assert "tensorboard" not in found.code[-1]


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(28, "full"), MemoryError()])
def test_pictures_and_pages_that_fail_leave_the_result(
    error: Exception, result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise error

    for name in ("run_page", "model_card", "curves_png", "confusion_png", "reliability_png"):
        monkeypatch.setattr(outcome, name, fails)
    problems = write_result(replace(result, folder=RunFolder(tmp_path)))
    written = {"hashes.json", "history.csv", "metrics.json", "predictions.csv", "validation.csv"}
    assert {path.name for path in tmp_path.iterdir()} == written
    assert json.loads((tmp_path / "metrics.json").read_text()) == json.loads(json.dumps(result.to_json()))
    for name in ("report.html", "README.md", "curves.png", "confusion-emotion.png", "reliability.png"):
        assert any(f"/{name} could not be written" in problem for problem in problems)


def ran(line: str, folder: Path) -> None:
    """Run a command of the page in ``folder``, as a shell would."""
    words = shlex.split(line)
    environment = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    commands.run(*words, cwd=folder, env=environment)


@pytest.mark.slow
def test_the_commands_of_a_page_make_the_same_numbers(small_demo: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "corpora").symlink_to(small_demo, target_is_directory=True)
    ran("ser-features build --datasets demo --augment 1 --seed 5 --out 'my store.zarr'", first)
    ran(
        "ser-train --store 'my store.zarr' --model functionals --datasets demo --protocol kfold:4 --fold 2 "
        "--views 0 --seed 3 --set model.c=0.01 --where 'snr_db > -50' --set 'description=\"it''s\"'",
        first,
    )
    (run,) = (first / "runs").iterdir()
    page = Page((run / "report.html").read_text())
    files = [code for code in page.code if code.startswith("name = ")]
    (second / "four-corpora-a.toml").write_text(files[0])
    commands = next(code for code in page.code if code.startswith("ser-features")).replace("\\\n", " ")
    for line in commands.splitlines():
        if not line.startswith("ser-features demo"):
            ran(line, second)
    (again,) = (second / "runs").iterdir()
    for name in ("metrics.json", "split.json", "predictions.csv"):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name
