from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser
from sklearn import metrics as sk

from schemas.errors import RunError
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests.pages import require_readable
from tests.training.report.page.reading import Page
from training.campaign import train_all
from training.report.page.series_page import series_page
from training.report.series_summary import summary_of
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest
from training.runs.series import SeriesFolder

CHANGES = (
    "datasets=null",
    "model.name=functionals",
    "labels.target=emotion",
    "train.views=[0]",
    "split.protocol=kfold:3",
)


@pytest.fixture(scope="module")
def series(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    request = TrainRequest(
        store=demo_store,
        recipe=override(load_recipe("four-corpora-a"), CHANGES),
        output=tmp_path_factory.mktemp("runs"),
        hardware=Hardware("cpu"),
    )
    return train_all(request, None, SilentObserver()).path


@pytest.fixture(scope="module")
def page(series: Path) -> Page:
    return Page((series / "report.html").read_text())


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


@pytest.mark.slow
def test_folds_mean_and_pooled_are_those_of_the_predictions(page: Page, series: Path) -> None:
    rows, found = page.table("fold"), []
    for n in ("1", "2", "3"):
        table = pd.read_csv(series / f"fold-{n}" / "predictions.csv")
        found.append(sk.balanced_accuracy_score(table["true"], table["predicted"]))
        assert rows[n][0] == percent(found[-1])
    spread = pd.Series(found)
    assert rows["mean ± sd"][0] == f"{100 * spread.mean():.1f} ± {100 * spread.std(ddof=1):.1f} %"
    pooled = pd.read_csv(series / "predictions.csv")
    assert rows["pooled"][0] == percent(sk.balanced_accuracy_score(pooled["true"], pooled["predicted"]))
    assert page.table("classes")["emotion"][0] == rows["pooled"][0]
    interval = json.loads((series / "summary.json").read_text())["pooled"]["emotion"]["intervals"]["ua"]
    cell = f"{100 * interval['low']:.1f}–{100 * interval['high']:.1f}"
    assert page.table("classes")["emotion"][1] == cell


def test_each_fold_has_a_page_that_the_series_leads_to(page: Page, series: Path) -> None:
    links = [link for link in page.links if not link.startswith("#")]
    assert {f"fold-{n}/report.html" for n in (1, 2, 3)} <= set(links)
    for link in links:
        assert (series / link).is_file(), link
    fold = Page((series / "fold-2" / "report.html").read_text())
    assert "--protocol kfold:3" in fold.code[-2]
    assert "--fold 2" in fold.code[-2]
    assert "--fold" not in page.code[-2]


def test_every_fold_was_audited(page: Page, series: Path) -> None:
    rows = page.table("audit of fold")
    for n in ("1", "2", "3"):
        audit = json.loads((series / f"fold-{n}" / "audit.json").read_text())
        assert rows[n][2] == ("yes" if audit["clean"] else "no")
        assert rows[n][0] == " / ".join(str(audit["clips"][s]) for s in ("train", "validation", "test"))
        assert len(rows[n]) == 3 + len(audit["checks"])


def test_an_audit_that_is_none_is_a_sentence(series: Path) -> None:
    path, hashes = (series / "fold-3" / name for name in ("audit.json", "hashes.json"))
    content = path.read_text()
    hashes.rename(series / "hashes-of-fold-3.json")  # as in a run of before there were hashes
    try:
        path.write_text(json.dumps({**json.loads(content), "checks": [{"name": 3}]}))
        folder = SeriesFolder(series)
        with pytest.raises(RunError, match=r"audit\.json: checks\.0"):
            series_page(summary_of([folder]), folder)
    finally:
        path.write_text(content)
        (series / "hashes-of-fold-3.json").rename(hashes)


def test_the_page_can_be_read_and_comes_out_the_same(series: Path, browser: Browser) -> None:
    require_readable(browser, series / "report.html")
    folder = SeriesFolder(series)
    assert series_page(summary_of([folder]), folder) == (series / "report.html").read_text()
