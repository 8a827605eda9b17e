"""``ser-features report`` as its users meet it: the page, what it tells of what is missing, how it ends."""

from __future__ import annotations

import json
import re
import shutil
import weakref
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from playwright.sync_api import Browser

import featurestore.report.blocks as blocks
from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.progress import Silent
from featurestore.report.findings import examine
from featurestore.report.make import make_report, store_name
from featurestore.sharing.push import push
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError, UsageError
from schemas.recipe import parse_recipe
from schemas.recipe_toml import store_toml
from tests.featurestore.report.conftest import MEL, MFCC, RMS, MakeStore, run, words
from tests.hostile.forge import forged
from tests.pages import require_readable


def pictures(page: Path) -> list[str]:
    return re.findall(r'<img src="data:[^"]+" alt="([^"]+)"', page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_report(store, tmp_path_factory.mktemp("page") / "report.html").path


@pytest.mark.slow
def test_the_page_can_be_read_on_a_laptop_and_on_a_telephone(page: Path, browser: Browser) -> None:
    require_readable(browser, page)


@pytest.mark.slow
def test_the_page_tells_what_the_store_holds(page: Path, store: Path) -> None:
    text = words(page)
    opened = FeatureStore.open(store)
    for told in (
        "683 clips (3 bad) × 4 views",
        opened.digest,
        opened.document.spec_digest,
        "3 bad recordings",
        "Emotions without a usable clip: bored",
        "bored/0.wav",
        f"ser-features verify {store.name} --full",
    ):
        assert told in text
    assert str(store.parent) not in page.read_text()
    drawn = pictures(page)
    # counts, durations, quality; means; correlation; the map by five groups; examples
    assert len(drawn) == 3 + 2 + 1 + 5 + 7
    assert [alt.split()[-1] for alt in drawn if alt.startswith("Maps of the clips")] == [
        "emotion",
        "gender",
        "speaker",
        "sentence",
        "corpus",
    ]
    assert sum("in the views original, noise, later, fast" in alt for alt in drawn) == 7


@pytest.mark.slow
def test_the_same_store_gives_the_same_page(page: Path, store: Path, tmp_path: Path) -> None:
    assert make_report(store, tmp_path / "again.html").path.read_bytes() == page.read_bytes()


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize(
    ("features", "options", "told"),
    [
        (RMS, {}, ["The store has no mel spectrograms", "The store has no MFCC", "Without mel"]),
        (MEL + MFCC, {"augment": 0}, ["The store has no augmented views", "× 1 view from"]),
        (MEL + RMS, {"dtype": "float32", "codec": "none"}, ["float32, none (not compressed)"]),
    ],
)
def test_what_is_missing_is_told_and_why(
    features: str, options: dict[str, Any], told: list[str], make: MakeStore, small_demo: Path, tmp_path: Path
) -> None:
    made = make(features=features, corpora=small_demo, **options)
    text = words(make_report(made, tmp_path / "r.html").path)
    for sentence in told:
        assert sentence in text


def test_a_store_whose_clips_are_all_bad_has_a_page_that_says_so(
    make: MakeStore, two_corpora: Path, tmp_path: Path, browser: Browser
) -> None:
    shutil.copytree(two_corpora / "own" / "bored", tmp_path / "own" / "bored")
    made = make(f"own={tmp_path / 'own'}", corpora=tmp_path)
    report = make_report(made, tmp_path / "r.html")
    text = words(report.path)
    assert "No clip in this store is usable" in text
    assert "No corpus in this store gives the gender" in text
    assert "2 bad recordings" in text
    require_readable(browser, report.path)


@pytest.mark.slow
def test_a_strangers_words_are_text_never_markup_nor_formulas(
    make: MakeStore, small_demo: Path, tmp_path: Path, browser: Browser
) -> None:
    evil = "<script>alert(1)</script>$\\frac{$"
    forge = forged(make(corpora=small_demo), tmp_path / "f.zarr")
    table = forge.table("manifest.parquet")
    views = forge.table("views.parquet")
    for name in ("label", "intensity", "sentence", "problem", "path"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array([evil] * len(table)))
    ids = [f"{evil}{index}" + "x" * 300 for index in range(len(table))]
    table = table.set_column(0, table.schema.field("clip_id"), pa.array(ids))
    repeated = [name for name in ids for _ in range(len(views) // len(ids))]
    views = views.set_column(0, views.schema.field("clip_id"), pa.array(repeated))
    for name in ("duration_s", "snr_db", "peak"):
        place = table.schema.get_field_index(name)
        numbers = pa.array([float("inf"), -1e308, 1e308, float("nan")] * (len(table) // 4))
        table = table.set_column(place, table.schema.field(name), numbers)
    forge.put_table("manifest.parquet", table)
    forge.put_table("views.parquet", views)
    forge.entry.update(title=evil, licence=evil, home_page="javascript:alert(1)")
    forge.document["libraries"] = {evil: evil}
    forge.seal()
    report = make_report(forge.folder, tmp_path / "r.html")
    html = report.path.read_text(encoding="utf-8")
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert html.count("&lt;script&gt;") > 40
    assert "112 usable recordings with notes" in words(report.path)
    assert "72 more rows are not shown here" in words(report.path)
    assert report.bytes < 4e6
    require_readable(browser, report.path)


def test_blocks_are_dropped_when_they_are_added_up(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held at a time is a block for each thread, however many blocks the store has."""
    alive: set[int] = set()
    most = [0]
    read = [0]
    original = blocks._Originals.__getitem__

    def watched(self: Any, key: tuple[slice, ...]) -> Any:
        block = original(self, key)
        read[0] += 1
        alive.add(read[0])
        weakref.finalize(block, alive.discard, read[0])
        most[0] = max(most[0], len(alive))
        return block

    monkeypatch.setattr(blocks._Originals, "__getitem__", watched)
    monkeypatch.setattr(blocks, "MOST_BLOCK_BYTES", 1)
    examine(FeatureStore.open(store), Silent())
    assert read[0] == 2 * (672 // 32 + 1)  # mel and mfcc, each chunk once
    assert most[0] <= 2 * blocks.threads()


def test_the_recipe_and_the_commands_on_the_page_build_the_same_store(
    store: Path, two_corpora: Path, tmp_path: Path
) -> None:
    opened = FeatureStore.open(store)
    spec = opened.spec
    text = store_toml(spec, "again")
    assert parse_recipe(text, "page").store_spec(None, spec.seed, spec.storage) == spec
    (tmp_path / "again.toml").write_text(text)
    again = SpecRequest(
        recipe=str(tmp_path / "again.toml"),
        seed=spec.seed,
        dtype=spec.storage.dtype,
        codec=spec.storage.codec,
    )
    built = build(
        BuildRequest(tmp_path / "again.zarr", two_corpora, f"demo,own={two_corpora / 'own'}", again)
    )
    assert built.document.digest == opened.digest


def test_a_page_is_not_written_into_a_store_at_a_url(store: Path, tmp_path: Path) -> None:
    push(str(store), f"file://{tmp_path}/lab")
    with pytest.raises(UsageError, match="inside the feature store"):
        make_report(f"file://{tmp_path}/lab", next((tmp_path / "lab/versions").iterdir()) / "r.html")


@pytest.mark.usefixtures("blank")
def test_the_command_names_the_page_after_the_store_and_replaces_it(store: Path, tmp_path: Path) -> None:
    (tmp_path / "made-report.html").write_text("an old one")
    printed = run(store, cwd=tmp_path)
    assert printed.stdout.startswith("made-report.html: 683 clips of 17 speakers")
    assert (tmp_path / "made-report.html").read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["made-report.html"]


@pytest.mark.usefixtures("blank")
def test_json_has_the_numbers_beside_the_page(store: Path, tmp_path: Path) -> None:
    numbers = json.loads(run(store, "--out", "a.html", "--json", cwd=tmp_path).stdout)
    assert numbers["page"] == "a.html"
    assert numbers["bytes"] == (tmp_path / "a.html").stat().st_size
    assert sum(clips for of in numbers["counts"] for genders in of for clips in genders) == 680
    assert [corpus["name"] for corpus in numbers["corpora"]] == ["demo", "own"]
    assert len(numbers["problems"]["bad"]) == 3
    assert numbers["provenance"]["digest"] == FeatureStore.open(store).digest


@pytest.mark.parametrize(
    ("out", "message"),
    [("inside/r.html", "inside the feature store"), (".", "is a folder"), ("s3://lab/r.html", "is a URL")],
)
def test_a_page_is_never_written_where_it_must_not_be(
    out: str, message: str, store: Path, tmp_path: Path
) -> None:
    target = store / "r.html" if out.startswith("inside") else Path(out)
    error = run(store, "--out", target, cwd=tmp_path, status=2).stderr
    assert message in " ".join(error.split())
    assert not (store / "r.html").exists()


def test_a_store_that_cannot_be_read_leaves_the_old_page(store: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(store, tmp_path / "s.zarr"))
    shard = changed / "demo/mel/c/0/0/0/0"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x00")
    (tmp_path / "s-report.html").write_text("an old one")
    error = run(changed, cwd=tmp_path, status=1).stderr
    assert "demo/mel/c/0/0/0/0" in error
    assert "ser-features build --check" in " ".join(error.split())
    assert (tmp_path / "s-report.html").read_text() == "an old one"
    (changed / "store.json").unlink()
    assert "is not finished" in " ".join(run(changed, cwd=tmp_path, status=1).stderr.split())
    assert "there is no feature store" in " ".join(run("none.zarr", cwd=tmp_path, status=1).stderr.split())


def test_coordinates_that_cannot_be_are_refused(make: MakeStore, small_demo: Path, tmp_path: Path) -> None:
    import numpy as np
    from zarr import open_array

    forge = forged(make(corpora=small_demo, codec="none"), tmp_path / "f.zarr")
    array = open_array(forge.folder / "demo/mel_band", mode="r+")
    array[:] = np.asarray(array[:])[::-1]
    forge.put("demo/mel_band/c/0", (forge.folder / "demo/mel_band/c/0").read_bytes())
    forge.seal()
    with pytest.raises(StoreDamagedError, match=r"demo/mel_band in .* does not increase"):
        make_report(forge.folder, tmp_path / "r.html")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("/data/features.zarr", "features"),
        ("s3://lab/emotions/", "emotions"),
        ("https://lab.org/emotions@1a2b3c", "emotions@1a2b3c"),
        ("/data/my store", "my-store"),
        ("https://user:secret@lab.org", "lab.org"),
    ],
)
def test_a_store_is_called_by_the_last_part_of_its_place(where: str, name: str) -> None:
    assert store_name(where) == name
