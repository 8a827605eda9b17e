"""Clips that are parts of recordings: they equal files that soundfile cuts at the same samples."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from data.locate import locate
from featurestore.build import BuildRequest, build
from featurestore.cluster.unit_task import BuiltUnit, UnitTask, build_unit, library_versions
from featurestore.compute import segments as segment_reader
from featurestore.compute import worker_processes
from featurestore.compute.reading_order import clips_in_reading_order, longest_group
from featurestore.compute.stages import Stages
from featurestore.compute.worker import Task
from featurestore.compute.worker_pool import WorkerPool
from featurestore.listen.clip import ListenRequest
from featurestore.listen.listen import listen
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.plan.growth import UnitWork
from featurestore.plan.recordings import hash_recordings
from featurestore.plan.spec import SpecRequest
from featurestore.plan.units import plan_units
from featurestore.progress import Silent
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.recording.source import open_recording
from pipelines.version import FEATURE_VERSION
from schemas.recipe import load_recipe
from tests.tiny_store import Builder

RATE = 44_100


@dataclass(frozen=True)
class Cut:
    """A row of the table; ``end`` None: to the end of the recording."""

    file: str
    speaker: str
    start: float
    end: float | None

    @property
    def name(self) -> str:
        """Clip id without the corpus."""
        end = "end" if self.end is None else f"{round(self.end * 1000):07d}"
        return f"{self.file.partition('.')[0]}#{round(self.start * 1000):07d}-{end}"


CUTS = (
    Cut("talk.wav", "ann", 0.0, 0.7),
    Cut("talk.wav", "ben", 0.7, 1.9),
    Cut("talk.wav", "ann", 1.251, 2.333),
    Cut("talk.wav", "ben", 0.5, 3.75),
    Cut("talk.wav", "ann", 3.0, None),
    Cut("radio.flac", "ann", 0.25, 1.0),
    Cut("radio.flac", "eve", 1.0, 2.5),
)


@pytest.fixture(scope="module")
def corpora(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``long`` with two recordings and their table, and ``cut`` with what soundfile cuts out of them."""
    root = tmp_path_factory.mktemp("segments")
    for name in ("long", "cut"):
        (root / name).mkdir()
    voices = [soundfile.read(path)[0] for path in sorted((small_demo / "demo").glob("f01/*.wav"))[:4]]
    sound = np.concatenate(voices)
    sound = np.resize(sound, 4 * RATE)
    soundfile.write(
        root / "long" / "talk.wav", np.stack([sound, 0.5 * np.roll(sound, 7)], axis=1), RATE, "PCM_16"
    )
    soundfile.write(root / "long" / "radio.flac", 0.7 * sound[: 3 * RATE][::-1], RATE, "PCM_16")
    rows = pd.DataFrame(CUTS).assign(emotion=["sad", "happy"] * 3 + ["sad"])
    rows.to_csv(root / "long" / "t.csv", index=False)
    for cut in CUTS:
        stop = None if cut.end is None else round(cut.end * RATE)
        part, _ = soundfile.read(
            root / "long" / cut.file, start=round(cut.start * RATE), stop=stop, dtype="int16"
        )
        soundfile.write(root / "cut" / f"{cut.name}.wav", part, RATE, "PCM_16")
    rows.assign(file=[f"{cut.name}.wav" for cut in CUTS])[["file", "speaker", "emotion"]].to_csv(
        root / "cut" / "t.csv", index=False
    )
    return root


@pytest.fixture(scope="module")
def cut_store(corpora: Path, tiny_build: Builder) -> FeatureStore:
    """Store of the files that soundfile cut."""
    tiny_build(corpora / "cut.zarr", corpora, f"talks={corpora}/cut/t.csv")
    return FeatureStore.open(corpora / "cut.zarr")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each recording was opened to read segments from it."""
    counts: Counter[str] = Counter()

    def count(path: Path) -> object:
        counts[path.name] += 1
        return open_recording(path)

    monkeypatch.setattr(segment_reader, "open_recording", count)
    return counts


def require_equal(store: FeatureStore, cut: FeatureStore) -> None:
    """Same clips, numbers, quality, views and statistics; only the recordings differ."""
    ours, theirs = store.manifest, cut.manifest
    own = {"path", "audio_sha256", "problem", "start_s", "end_s"}
    pd.testing.assert_frame_equal(
        ours[[n for n in ours if n not in own]], theirs[[n for n in theirs if n not in own]]
    )
    pd.testing.assert_frame_equal(store.views, cut.views)
    statistics = (pd.read_parquet(f"{each.place}/statistics.parquet") for each in (store, cut))
    pd.testing.assert_frame_equal(*statistics)
    everything = range(len(ours)), range(len(store.spec.view_names))
    found, expected = store.read(*everything), cut.read(*everything)
    for feature in expected:
        np.testing.assert_array_equal(found[feature], expected[feature])


def test_segments_equal_files_cut_by_soundfile_and_recordings_are_decoded_once(
    corpora: Path, cut_store: FeatureStore, tiny_build: Builder, opened: Counter[str]
) -> None:
    tiny_build(corpora / "s.zarr", corpora, f"talks={corpora}/long/t.csv")
    store = FeatureStore.open(corpora / "s.zarr")
    require_equal(store, cut_store)
    assert opened == {"talk.wav": 1, "radio.flac": 1}
    assert verify(corpora / "s.zarr", full=True).ok
    assert set(store.manifest["problem"]) == {""}
    by_id = store.manifest.set_index("clip_id")
    for cut in CUTS:
        clip = by_id.loc[f"talks/{cut.name}"]
        assert (clip["path"], clip["start_s"], clip["status"]) == (cut.file, cut.start, "ok")
        assert clip["end_s"] == cut.end or (cut.end is None and np.isnan(clip["end_s"]))
    assert by_id["audio_sha256"].nunique() == 2


@pytest.fixture(scope="module")
def many(corpora: Path) -> str:
    """Request for a corpus with more segments of one recording than a worker's task has clips."""
    rows = [f"talk.wav,sad,x,{at / 20},{at / 20 + 0.2}" for at in range(40)]
    (corpora / "long" / "many.csv").write_text("\n".join(["file,emotion,speaker,start,end", *rows]))
    return f"many={corpora}/long/many.csv"


def test_worker_processes_give_the_same(
    corpora: Path,
    many: str,
    tiny_build: Builder,
    tiny_recipe: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_build(tmp_path / "threads.zarr", corpora, many)
    monkeypatch.setattr(worker_processes, "MANY_CLIPS", 1)
    spec = SpecRequest(recipe=tiny_recipe)
    build(BuildRequest(tmp_path / "processes.zarr", corpora, many, spec, jobs=2))
    digests = {FeatureStore.open(tmp_path / f"{name}.zarr").digest for name in ("threads", "processes")}
    assert len(digests) == 1


def test_a_worker_gets_all_segments_of_a_recording(corpora: Path, many: str, tiny_recipe: str) -> None:
    ((corpus, root),) = locate(many, corpora).found
    clips = hash_recordings(corpus.scan(root), Silent())
    spec = load_recipe(tiny_recipe).store_spec()
    (unit,) = plan_units("many", clips, spec, FEATURE_VERSION, ())
    sources = list(clips_in_reading_order(unit))
    tasks: list[Task] = []
    with WorkerPool(spec, 1, Stages(), most_segments=longest_group(sources)) as pool:
        run = pool._run
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool, "_run", lambda task: tasks.append(task) or run(task))
            found = [clip.read.source.clip.clip_id for clip in pool.process(sources)]
    assert found == [source.clip.clip_id for source in sources]
    assert [len(task.sources) for task in tasks] == [40]


def test_a_task_of_a_cluster_decodes_a_recording_once(
    corpora: Path, many: str, tiny_recipe: str, tmp_path: Path, opened: Counter[str]
) -> None:
    ((corpus, root),) = locate(many, corpora).found
    clips = hash_recordings(corpus.scan(root), Silent())
    spec = load_recipe(tiny_recipe).store_spec()
    (unit,) = plan_units("many", clips, spec, FEATURE_VERSION, ())
    work = UnitWork(unit, spec, spec, None)
    with exclusive(Folder(tmp_path)) as token:
        built = build_unit(UnitTask(work, Folder(tmp_path), token, "cpu", "soundfile", library_versions()))
    assert isinstance(built, BuiltUnit), built
    assert opened == {"talk.wav": 1}
    assert [row.clip_id for row in built.record.clips] == [source.clip.clip_id for source in unit.clips]


def test_dali_leaves_segments_to_soundfile(
    corpora: Path, cut_store: FeatureStore, tiny_recipe: str, tmp_path: Path, opened: Counter[str]
) -> None:
    pytest.importorskip("nvidia.dali")
    out, request = tmp_path / "s.zarr", f"talks={corpora}/long/t.csv"
    report = build(BuildRequest(out, corpora, request, SpecRequest(recipe=tiny_recipe), decoder="dali"))
    require_equal(FeatureStore.open(out), cut_store)
    assert opened == {"talk.wav": 1, "radio.flac": 1}
    assert report.fallbacks == {"segments of recordings are not left to DALI": len(CUTS)}


def test_a_repair_decodes_once_too(
    corpora: Path, cut_store: FeatureStore, tiny_build: Builder, tmp_path: Path, opened: Counter[str]
) -> None:
    request = f"talks={corpora}/long/t.csv"
    out = tmp_path / "s.zarr"
    tiny_build(out, corpora, request)
    digest = FeatureStore.open(out).digest
    opened.clear()
    tiny_build(out, corpora, request)
    assert not opened
    (out / "talks" / "mel" / "c" / "1" / "0" / "0" / "0").unlink()
    tiny_build(out, corpora, request, check=True)
    assert opened == {"talk.wav": 1, "radio.flac": 1}
    assert FeatureStore.open(out).digest == digest
    require_equal(FeatureStore.open(out), cut_store)


def test_segments_outside_their_recording_are_bad(corpora: Path, tiny_build: Builder, tmp_path: Path) -> None:
    root = Path(shutil.copytree(corpora / "long", tmp_path / "long"))
    rows = [("5", "6"), ("3", "9"), ("3.5", "4.05"), ("1", "1.00001"), ("0", "1")]
    lines = "".join(f"talk.wav,sad,x,{start},{end}\n" for start, end in rows)
    (root / "t.csv").write_text(f"file,emotion,speaker,start,end\n{lines}")
    tiny_build(root / "s.zarr", root, f"talks={root}/t.csv")
    manifest = FeatureStore.open(root / "s.zarr").manifest.sort_values("start_s")
    facts = manifest[["start_s", "status", "problem", "duration_s"]].itertuples(index=False)
    assert [tuple(each) for each in facts] == [
        (0.0, "ok", "", 1.0),
        (1.0, "bad", "no samples (0 s)", 0.0),
        (3.0, "bad", "the segment ends at 9 s, but its recording is only 4 s long", 1.0),
        (3.5, "ok", "the segment ends 0.05 s after its recording, and is cut there", 0.5),
        (5.0, "bad", "the segment starts at 5 s, but its recording is only 4 s long", 0.0),
    ]


def test_limits_of_durations_are_those_of_segments(corpora: Path, tiny_recipe: str, tmp_path: Path) -> None:
    recipe = tmp_path / "short.toml"
    recipe.write_text(Path(tiny_recipe).read_text().replace("[audio]", "[audio]\nmax_duration_s = 1.5"))
    build(
        BuildRequest(
            tmp_path / "s.zarr", corpora, f"talks={corpora}/long/t.csv", SpecRequest(recipe=str(recipe))
        )
    )
    manifest = FeatureStore.open(tmp_path / "s.zarr").manifest.set_index("clip_id")
    too_long = manifest[manifest["status"] == "bad"]
    assert too_long["problem"].to_dict() == {
        "talks/talk#0000500-0003750": "3.25 s long; the limit is 1.5 s (audio.max_duration_s)"
    }


def test_a_damaged_recording_makes_all_of_its_segments_bad(
    corpora: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(corpora / "long", tmp_path / "long"))
    data = (root / "talk.wav").read_bytes()
    (root / "talk.wav").write_bytes(data[: len(data) // 2])
    (root / "radio.flac").write_bytes(b"")
    tiny_build(root / "s.zarr", root, f"talks={root}/t.csv")
    manifest = FeatureStore.open(root / "s.zarr").manifest
    problems = manifest.groupby("path")["problem"].agg(set)
    assert problems["radio.flac"] == {"empty file (0 bytes)"}
    (problem,) = problems["talk.wav"]
    assert problem.startswith("truncated: the header announces")


def test_the_same_cut_of_equal_files_is_noted_and_other_segments_are_no_copies(
    corpora: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(corpora / "long", tmp_path / "long"))
    shutil.copy(root / "talk.wav", root / "copy.wav")
    (root / "t.csv").write_text(
        "file,emotion,speaker,start,end\ntalk.wav,sad,x,0,1\ntalk.wav,sad,x,1,2\ncopy.wav,sad,x,1,2\n"
        "copy.wav,sad,x,,\n"
    )
    tiny_build(root / "s.zarr", root, f"talks={root}/t.csv")
    notes = FeatureStore.open(root / "s.zarr").manifest.set_index("clip_id")["problem"].to_dict()
    assert notes == {
        "talks/copy": "",
        "talks/copy#0001000-0002000": "same audio as talks/talk#0001000-0002000",
        "talks/talk#0000000-0001000": "",
        "talks/talk#0001000-0002000": "same audio as talks/copy#0001000-0002000",
    }


def test_listening_cuts_too(
    corpora: Path, cut_store: FeatureStore, tiny_build: Builder, tmp_path: Path
) -> None:
    clip = f"talks/{CUTS[2].name}"
    for name in ("long", "cut"):
        request = f"talks={corpora}/{name}/t.csv"
        store = tmp_path / f"{name}.zarr"
        tiny_build(store, corpora, request)
        listen(ListenRequest(str(store), clip, corpora, datasets=request), tmp_path / name)
    ours, theirs = (sorted((tmp_path / name).iterdir()) for name in ("long", "cut"))
    assert [path.name for path in ours] == [path.name for path in theirs]
    assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs]


def test_ids_do_not_depend_on_other_rows(corpora: Path, tmp_path: Path) -> None:
    ((corpus, root),) = locate(f"talks={corpora}/long/t.csv", corpora).found
    clips = {clip.clip_id for clip in corpus.scan(root).clips}
    assert clips == {f"talks/{cut.name}" for cut in CUTS}
