"""Builds over stores that are already there: extended, damaged, half built, or open in another process."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from featurestore.build import BuildRequest, build
from featurestore.format.layout import IMPORTED_FORMAT_VERSION, MANIFEST, ROOT_METADATA, STORE_JSON
from featurestore.plan.spec import SpecRequest
from featurestore.plan.units import SourceClip, plan_units
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.clip import Clip
from schemas.errors import (
    CorpusNotFoundError,
    StoreChangedError,
    StoreConflictError,
    StoreUnfinishedError,
    UsageError,
)
from schemas.labels import Emotion, Gender
from schemas.recipe import load_recipe
from tests.tiny_store import Builder


@pytest.fixture
def second(small_demo: Path, tmp_path: Path) -> str:
    """Request for a second corpus of one clip."""
    folder = tmp_path / "mine" / "angry"
    folder.mkdir(parents=True)
    shutil.copy(next((small_demo / "demo").glob("f01/*angry*")), folder / "one.wav")
    return f"mine={folder.parent}"


class TestExtending:
    """A corpus that is not asked for is whole in the new store, or there is no new store."""

    @pytest.mark.parametrize(
        "damage", ["records/demo/corpus.json", "records/demo/00001.json", "records/demo/00000.parquet"]
    )
    def test_a_damaged_record_of_another_corpus(
        self, damage: str, second: str, own_store: Path, tmp_path: Path, tiny_build: Builder
    ) -> None:
        (own_store / damage).write_text("{")
        with pytest.raises(StoreUnfinishedError, match=r"demo is .*; add it to --datasets"):
            tiny_build(own_store, tmp_path, second)
        assert (own_store / "demo/mel/c/0/0/0/0").exists()

    def test_a_lost_shard_of_another_corpus(
        self, second: str, own_store: Path, tmp_path: Path, tiny_build: Builder
    ) -> None:
        (own_store / "demo/mel/c/0/1/0/0").unlink()
        with pytest.raises(StoreUnfinishedError, match="demo is damaged"):
            tiny_build(own_store, tmp_path, second)

    def test_records_of_two_layouts_are_not_taken_for_one(
        self, second: str, own_store: Path, tmp_path: Path, tiny_build: Builder
    ) -> None:
        """As many clips as there should be, but one unit is of another layout: clips twice, clips missing."""
        path = own_store / "records/demo/00001.json"
        record = json.loads(path.read_text())
        record["fingerprint"] = "sha256:" + "0" * 64
        path.write_text(json.dumps(record))
        with pytest.raises(StoreUnfinishedError, match="only partly built"):
            tiny_build(own_store, tmp_path, second)

    def test_the_old_store_is_readable_until_the_new_one_is_finalised(
        self, second: str, own_store: Path, tmp_path: Path, tiny_build: Builder
    ) -> None:
        """And a reader that had it open goes on: nothing that it reads has changed."""
        reader = FeatureStore.open(own_store)
        before = reader.read([0, 300])["mel"]
        tiny_build(own_store, tmp_path, second)
        assert np.array_equal(reader.read([0, 300])["mel"], before)
        assert len(FeatureStore.open(own_store).manifest) == 673


def _kill_when(condition: str, out: Path, corpora: Path, recipe: str) -> None:
    """Run a build in a process that kills itself with SIGKILL where ``condition`` says."""
    code = f"""
import os, signal
{condition}
from pathlib import Path
from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
build(BuildRequest(Path({str(out)!r}), Path({str(corpora)!r}), "demo", SpecRequest(recipe={recipe!r})))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9


KILL_BEFORE = """
import importlib
module = importlib.import_module('featurestore.{module}')
original = module.{function}
def killed(*arguments, **keywords):
    if {when}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **keywords)
module.{function} = killed
"""


SHARD_WRITTEN = "'/c/' in str(arguments[0])"


class TestKilledWhileChanging:
    @pytest.mark.slow
    def test_an_extension_goes_on_with_the_same_layout(
        self, whole_demo: Path, tiny_recipe: str, tiny_build: Builder, tmp_path: Path
    ) -> None:
        """300 clips, then 372 more that sort between them; killed after the first unit was discarded."""
        corpora, rest = tmp_path / "corpora", tmp_path / "rest"
        shutil.copytree(whole_demo, corpora)
        for path in list((corpora / "demo").glob("*/*_s[23]_*")):
            target = rest / path.relative_to(corpora)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
        out, truth = tmp_path / "s.zarr", tmp_path / "truth.zarr"
        tiny_build(out, corpora)
        shutil.copytree(out, truth)
        shutil.copytree(rest, corpora, dirs_exist_ok=True)
        _kill_when(
            KILL_BEFORE.format(module="places.write_group", function="write_partial", when=SHARD_WRITTEN),
            out,
            corpora,
            tiny_recipe,
        )
        with pytest.raises(StoreUnfinishedError):
            FeatureStore.open(out)
        resumed, uninterrupted = tiny_build(out, corpora), tiny_build(truth, corpora)
        assert resumed.document.digest == uninterrupted.document.digest
        assert verify(out, full=True).ok

    @pytest.mark.parametrize("table", [MANIFEST, "views.parquet", ROOT_METADATA])
    def test_no_reader_sees_a_store_whose_tables_are_being_replaced(
        self, table: str, own_store: Path, whole_demo: Path, tiny_recipe: str, tiny_build: Builder
    ) -> None:
        digest = FeatureStore.open(own_store).digest
        (own_store / "statistics.parquet").unlink()  # so that the build finalises again
        when = f'str(arguments[0]) == "{own_store / table}"'
        if table != ROOT_METADATA:
            (own_store / table).write_bytes(b"")
        _kill_when(
            KILL_BEFORE.format(module="places.folder", function="write_durably", when=when),
            own_store,
            whole_demo,
            tiny_recipe,
        )
        with pytest.raises(StoreUnfinishedError):
            FeatureStore.open(own_store)
        assert tiny_build(own_store, whole_demo).document.digest == digest

    def test_a_kill_in_the_first_moment_leaves_a_usable_place(
        self, small_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        out = tmp_path / "s.zarr"
        out.mkdir()
        (out / "zarr.json.partial").write_text("{")
        tiny_build(out, small_demo)
        result = verify(out, full=True)
        assert result.ok
        assert result.strangers == ()


def test_a_reader_of_a_store_that_was_rebuilt_is_told(
    own_demo: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    """Otherwise it would get its neighbour's features under a clip's name."""
    out = tmp_path / "s.zarr"
    tiny_build(out, own_demo)
    reader = FeatureStore.open(out)
    reader.read([50])
    min((own_demo / "demo").glob("*/*.wav")).unlink()
    tiny_build(out, own_demo)
    with pytest.raises(StoreChangedError, match="open it again"):
        reader.read([50])
    (out / STORE_JSON).unlink()
    with pytest.raises(StoreChangedError):
        reader.read([50])


class TestRootMetadata:
    @pytest.mark.parametrize("content", [None, "", "[]", "null", '"x"', "{"])
    def test_a_lost_or_damaged_root_is_repaired(
        self, content: str | None, own_store: Path, tiny_store: Path, whole_demo: Path, tiny_build: Builder
    ) -> None:
        path = own_store / ROOT_METADATA
        path.unlink() if content is None else path.write_text(content)
        assert not verify(own_store).ok
        assert tiny_build(own_store, whole_demo).units_built == 0
        assert verify(own_store, full=True).digest == FeatureStore.open(tiny_store).digest

    def test_damaged_array_metadata_is_found_and_nobody_reads_by_it(
        self, own_store: Path, tiny_store: Path
    ) -> None:
        (own_store / "demo/mel/zarr.json").write_text("[]")
        assert [finding.name for finding in verify(own_store).findings] == ["demo/mel/zarr.json"]
        truth = FeatureStore.open(tiny_store).read([0, 300])["mel"]
        assert np.array_equal(FeatureStore.open(own_store).read([0, 300])["mel"], truth)


class TestOptionsOnAStore:
    """A store of one's own recipe goes on without its file, and options that say the same are no conflict."""

    @pytest.mark.parametrize(
        "said", [{}, {"seed": 0}, {"dtype": "float16"}, {"codec": "zstd"}, {"augment": 2}]
    )
    def test_the_same_said_again(self, said: dict[str, object], own_store: Path, whole_demo: Path) -> None:
        report = build(BuildRequest(own_store, whole_demo, "demo", SpecRequest(**said)))  # type: ignore[arg-type]
        assert report.units_built == 0

    @pytest.mark.parametrize(
        ("said", "sentence"),
        [
            ({"seed": 1}, "seed: 0 in the store, 1 requested"),
            ({"dtype": "float32"}, r"storage\.dtype: float16 in the store, float32 requested"),
            ({"augment": 1}, "built with --augment 2, and --augment 1 would remove views"),
        ],
    )
    def test_something_else(
        self, said: dict[str, object], sentence: str, own_store: Path, whole_demo: Path
    ) -> None:
        with pytest.raises(StoreConflictError, match=sentence):
            build(BuildRequest(own_store, whole_demo, "demo", SpecRequest(**said)))  # type: ignore[arg-type]


def test_a_wrong_folder_does_not_empty_a_corpus(
    own_store: Path, tmp_path: Path, tiny_build: Builder, small_demo: Path
) -> None:
    folder = tmp_path / "wrong"
    folder.mkdir()
    shutil.copy(next((small_demo / "demo").glob("f01/*")), folder / "holiday.wav")
    with pytest.raises(CorpusNotFoundError, match=r"is a clip of demo \(holiday\.wav"):
        tiny_build(own_store, tmp_path, f"demo={folder}")
    assert FeatureStore.open(own_store).read([0])


class TestRows:
    """Clips keep their rows; what is gone leaves a vacant row, which the next new clip takes."""

    @pytest.mark.parametrize(
        ("clips", "existing", "rows"),
        [
            ("abcd", "", "abcd"),
            ("abcd", "bd", "bdac"),
            ("acd", "bd", "adc"),
            ("abc", "abcd", "abc"),
            ("acd", "abcd", "a.cd"),
            ("acde", "a.cd", "aecd"),
            ("acdef", "a.cd", "aecdf"),
            ("ad", "abcd", "a..d"),
            ("d", "abcd", "d"),
            ("", "abcd", ""),
        ],
    )
    def test_rows(self, clips: str, existing: str, rows: str, tiny_recipe: str) -> None:
        def source(name: str) -> SourceClip:
            clip = Clip(f"x/{name}", "x", f"{name}.wav", "x/s", Gender.FEMALE, Emotion.ANGRY, "angry")
            return SourceClip(clip, Path(name), "0")

        spec = load_recipe(tiny_recipe).store_spec()
        before = [None if name == "." else f"x/{name}" for name in existing]
        units = plan_units("x", [source(name) for name in clips], spec, 1, before)
        found = [row for unit in units for row in unit.rows]
        assert "".join(row.clip.clip_id[2] if row else "." for row in found) == rows


class TestReadingArguments:
    @pytest.mark.parametrize(
        ("clips", "sentence"),
        [([True, False], "not bool"), ([0.5], "not float64"), ([-1, 5], "got -1"), ([5, 700], "got 700")],
    )
    def test_positions_are_whole_numbers_within_the_manifest(
        self, clips: list[int], sentence: str, tiny_store: Path
    ) -> None:
        store = FeatureStore.open(tiny_store)
        for call in (store.read, store.valid_frames):
            with pytest.raises(UsageError, match=sentence):
                call(clips)

    def test_views_and_speakers_that_are_not_there(self, tiny_store: Path) -> None:
        store = FeatureStore.open(tiny_store)
        with pytest.raises(UsageError, match="no view 7"):
            store.valid_frames([0], (7,))
        with pytest.raises(UsageError, match="no view 7"):
            store.statistics(["demo/f01"], (7,))
        with pytest.raises(UsageError, match="no speaker 'typo'"):
            store.statistics(["typo"])


def test_a_later_format_is_named_as_such(own_store: Path) -> None:
    document = json.loads((own_store / STORE_JSON).read_text())
    document["format_version"] = IMPORTED_FORMAT_VERSION + 1
    (own_store / STORE_JSON).write_text(json.dumps(document))
    with pytest.raises(
        StoreConflictError,
        match=f"format version {IMPORTED_FORMAT_VERSION + 1}, but this program reads versions 3 to 5",
    ):
        FeatureStore.open(own_store)


def test_an_uncompressed_store_builds_and_verifies(
    small_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    spec = SpecRequest(recipe=tiny_recipe, codec="none", dtype="float32")
    build(BuildRequest(tmp_path / "s.zarr", small_demo, "demo", spec))
    assert verify(tmp_path / "s.zarr", full=True).ok
    path = tmp_path / "s.zarr/demo/mel/c/0/0/0/0"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    assert not verify(tmp_path / "s.zarr", full=True).ok
