"""Recordings that a build cuts into clips: equal to files cut by soundfile, and kept as the store grows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.listen.clip import ListenRequest
from featurestore.listen.listen import listen
from featurestore.plan import segmentation as segmentation_module
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.speech import SpeechDetector
from schemas.errors import CorpusError, StoreConflictError, UsageError
from schemas.segmentation import parse_segmentation
from tests.featurestore.test_segments import require_equal
from tests.pauses import RATE, PausedSpeech, speak_with_pauses
from tests.tiny_store import TINY_RECIPE

Cut = Callable[..., BuildReport]

LONGEST_S = 2.0
WINDOWS = "1.5,1"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny recipe, for clips of at most 2 s."""
    path = tmp_path_factory.mktemp("recipe") / "short.toml"
    path.write_text(
        TINY_RECIPE.replace("duration_s = 0.5", f"duration_s = 0.5\nmax_duration_s = {LONGEST_S}")
    )
    return str(path)


@pytest.fixture
def cut(recipe: str) -> Cut:
    """Build a store: (out, corpora, datasets, segment=None)."""

    def run(out: Path, corpora: Path, datasets: str, segment: str | None = None) -> BuildReport:
        chosen = None if segment is None else parse_segmentation(segment)
        spec = SpecRequest(recipe=recipe)
        return build(BuildRequest(out, corpora, datasets, spec, segment=chosen))

    return run


@pytest.fixture(scope="module")
def spoken(small_demo: Path) -> PausedSpeech:
    return speak_with_pauses(small_demo)


@pytest.fixture
def corpora(spoken: PausedSpeech, tmp_path: Path) -> Path:
    """``talks``: a long recording, a short one, and a segment that the table itself names."""
    root = tmp_path / "corpora"
    (root / "talks").mkdir(parents=True)
    soundfile.write(root / "talks" / "long.wav", spoken.samples, RATE, "PCM_16")
    soundfile.write(root / "talks" / "short.flac", spoken.samples[RATE : 2 * RATE + 1600], RATE, "PCM_16")
    (root / "talks" / "t.csv").write_text(
        "file,emotion,speaker,start,end\nlong.wav,sad,ann,,\nshort.flac,happy,ben,,\nlong.wav,angry,eve,1,2\n"
    )
    return root


def request_of(corpora: Path) -> str:
    return f"talks={corpora}/talks/t.csv"


def cut_by_soundfile(corpora: Path, store: FeatureStore) -> str:
    """Write a file for each clip of the store; returns the request for the corpus of these files."""
    folder = corpora / "cut"
    folder.mkdir()
    rows = ["file,emotion,speaker"]
    for clip in store.manifest.itertuples():
        whole = np.isnan(clip.start_s)
        start = 0 if whole else round(clip.start_s * RATE)
        stop = None if np.isnan(clip.end_s) else round(clip.end_s * RATE)
        part, _ = soundfile.read(corpora / "talks" / clip.path, start=start, stop=stop, dtype="int16")
        name = f"{clip.clip_id.partition('/')[2]}{Path(clip.path).suffix}"
        soundfile.write(folder / name, part, RATE, "PCM_16")
        rows.append(f"{name},{clip.label},{clip.speaker.partition('/')[2]}")
    (folder / "t.csv").write_text("\n".join(rows))
    return f"talks={folder}/t.csv"


def test_windows_equal_files_cut_by_soundfile(cut: Cut, corpora: Path, spoken: PausedSpeech) -> None:
    report = cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    store = FeatureStore.open(corpora / "s.zarr")
    seconds = len(spoken.samples) / RATE
    windows = 1 + int(np.ceil((seconds - 1.5) / 1.0))
    assert len(store.manifest) == windows + 2
    assert report.bad == ()
    assert report.scans[0].notices == (f"--segment {WINDOWS}: 1 recording cut into {windows} clips",)
    by_id = store.manifest.set_index("clip_id")
    assert by_id.loc["talks/long#0002000-0003500", ["speaker", "label", "start_s", "end_s"]].tolist() == [
        "talks/ann",
        "sad",
        2.0,
        3.5,
    ]
    assert by_id.loc["talks/long#0001000-0002000", "label"] == "angry"
    assert np.isnan(by_id.loc["talks/short", "start_s"])
    assert verify(corpora / "s.zarr", full=True).ok
    cut(corpora / "cut.zarr", corpora, cut_by_soundfile(corpora, store))
    require_equal(store, FeatureStore.open(corpora / "cut.zarr"))


def test_long_recordings_become_usable(cut: Cut, corpora: Path) -> None:
    whole = cut(corpora / "whole.zarr", corpora, request_of(corpora))
    assert [entry.clip_id for entry in whole.bad] == ["talks/long"]
    windows = cut(corpora / "cut.zarr", corpora, request_of(corpora), "2")
    assert ("segment recordings" in whole.stages, "segment recordings" in windows.stages) == (False, True)
    (rest,) = windows.bad  # the recording ends with a second of silence
    assert (rest.clip_id, rest.problem[:6]) == ("talks/long#0012000-end", "silent")


def test_speech_is_cut_and_equals_files_cut_by_soundfile(
    cut: Cut, corpora: Path, spoken: PausedSpeech
) -> None:
    pytest.importorskip("silero_vad")
    cut(corpora / "s.zarr", corpora, request_of(corpora), "silero")
    store = FeatureStore.open(corpora / "s.zarr")
    clips = store.manifest.query("label == 'sad'").sort_values("start_s")
    np.testing.assert_allclose(clips[["start_s", "end_s"]], spoken.spans, atol=0.15)
    cut(corpora / "cut.zarr", corpora, cut_by_soundfile(corpora, store))
    require_equal(store, FeatureStore.open(corpora / "cut.zarr"))


def test_a_second_build_decodes_nothing(cut: Cut, corpora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("silero_vad")
    first = cut(corpora / "s.zarr", corpora, request_of(corpora), "silero")
    monkeypatch.setattr(SpeechDetector, "open", lambda: pytest.fail("decoded again"))
    second = cut(corpora / "s.zarr", corpora, request_of(corpora), "silero")
    assert second.units_built == 0
    other = cut(corpora / "other.zarr", corpora, request_of(corpora), "silero")
    assert first.document.digest == second.document.digest == other.document.digest


@pytest.mark.parametrize("damage", [b"", b"{}", b"0\n{}"])
def test_a_damaged_cache_is_ignored(
    cut: Cut, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    first = cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    (file,) = (tmp_path / "cache" / "sounds").iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)
    second = cut(corpora / "s.zarr", corpora, request_of(corpora))
    assert (second.units_built, second.document.digest) == (0, first.document.digest)
    assert file.read_bytes() == whole


def test_lengths_are_read_once(cut: Cut, corpora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    monkeypatch.setattr(segmentation_module, "find_duration", lambda file: pytest.fail("read again"))
    second = cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    assert (second.units_built, second.document.digest) == (0, first.document.digest)


def test_recordings_without_speech_are_left_out_and_silent_ones_are_bad(cut: Cut, corpora: Path) -> None:
    pytest.importorskip("silero_vad")
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)
    soundfile.write(corpora / "talks" / "tone.wav", tone, RATE)
    soundfile.write(corpora / "talks" / "silent.wav", np.zeros(RATE), RATE)
    (corpora / "talks" / "broken.wav").write_bytes(b"RIFF")
    with (corpora / "talks" / "t.csv").open("a") as table:
        table.write("tone.wav,sad,x,,\nsilent.wav,sad,x,,\nbroken.wav,sad,x,,\n")
    report = cut(corpora / "s.zarr", corpora, request_of(corpora), "silero")
    (scan,) = report.scans
    assert [(each.path, each.reason) for each in scan.ignored] == [
        ("tone.wav", "no speech found by Silero VAD")
    ]
    assert scan.notices[-1] == "--segment silero: 1 recording without speech left out"
    assert {entry.clip_id for entry in report.bad} == {"talks/silent", "talks/broken"}


def test_a_long_recording_that_cannot_be_cut_says_why(cut: Cut, corpora: Path, spoken: PausedSpeech) -> None:
    pytest.importorskip("silero_vad")
    soundfile.write(corpora / "talks" / "silent.wav", np.zeros(3 * RATE), RATE)
    soundfile.write(corpora / "talks" / "half.flac", spoken.samples, RATE)
    data = (corpora / "talks" / "half.flac").read_bytes()
    (corpora / "talks" / "half.flac").write_bytes(data[: len(data) // 2])
    with (corpora / "talks" / "t.csv").open("a") as table:
        table.write("silent.wav,sad,x,,\nhalf.flac,sad,x,,\n")
    first = cut(corpora / "s.zarr", corpora, request_of(corpora), "silero")
    problems = {entry.clip_id: entry.problem for entry in first.bad}
    limit = "the limit is 2 s (audio.max_duration_s); not cut: "
    assert f"{limit}silent: the loudest sample is 0 of full scale" in problems["talks/silent"]
    assert f"{limit}truncated or damaged: " in problems["talks/half"]
    assert cut(corpora / "s.zarr", corpora, request_of(corpora)).units_built == 0


def test_a_corpus_without_speech_is_refused(cut: Cut, corpora: Path) -> None:
    pytest.importorskip("silero_vad")
    (corpora / "tones").mkdir()
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)
    soundfile.write(corpora / "tones" / "tone.wav", tone, RATE)
    (corpora / "tones" / "t.csv").write_text("file,emotion\ntone.wav,sad\n")
    with pytest.raises(CorpusError, match="no speech in any of the 1 recording of tones"):
        cut(corpora / "s.zarr", corpora, f"tones={corpora}/tones/t.csv", "silero")


def test_a_store_that_grows_cuts_as_before_and_keeps_its_clips(cut: Cut, corpora: Path) -> None:
    cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    before = FeatureStore.open(corpora / "s.zarr")
    rows = before.manifest.set_index("clip_id")["row"]
    shutil.copy(corpora / "talks" / "long.wav", corpora / "talks" / "again.wav")
    with (corpora / "talks" / "t.csv").open("a") as table:
        table.write("again.wav,happy,ann,,\n")
    report = cut(corpora / "s.zarr", corpora, request_of(corpora))
    after = FeatureStore.open(corpora / "s.zarr")
    new = after.manifest.set_index("clip_id")["row"]
    assert report.bad == ()
    assert (new[rows.index] == rows).all()
    assert sum(clip_id.startswith("talks/again#") for clip_id in new.index) == len(rows) - 2
    (corpora / "s.zarr" / "store.json").unlink()  # as if the build had been stopped
    assert cut(corpora / "s.zarr", corpora, request_of(corpora)).document.digest == after.digest


def test_another_segmentation_of_a_corpus_of_the_store_is_refused(cut: Cut, corpora: Path) -> None:
    request = request_of(corpora)
    cut(corpora / "s.zarr", corpora, request, WINDOWS)
    with pytest.raises(StoreConflictError, match=r"was built with --segment 1\.5,1, not with --segment 2,2"):
        cut(corpora / "s.zarr", corpora, request, "2")
    cut(corpora / "whole.zarr", corpora, request)
    with pytest.raises(StoreConflictError, match="was built with whole recordings, not with --segment 2,2"):
        cut(corpora / "whole.zarr", corpora, request, "2")
    assert verify(corpora / "whole.zarr", full=True).ok


def test_each_corpus_keeps_its_own_segmentation(cut: Cut, corpora: Path) -> None:
    cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    shutil.copytree(corpora / "talks", corpora / "other")
    other = f"other={corpora}/other/t.csv"
    cut(corpora / "s.zarr", corpora, other, "2")
    report = cut(corpora / "s.zarr", corpora, f"{request_of(corpora)},{other}")
    assert report.units_built == 0
    assert {scan.dataset: scan.notices[0].partition(":")[0] for scan in report.scans} == {
        "talks": "--segment 1.5,1",
        "other": "--segment 2,2",
    }


def test_without_its_record_a_corpus_needs_its_segmentation(cut: Cut, corpora: Path) -> None:
    first = cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    (corpora / "s.zarr" / "records" / "talks" / "corpus.json").unlink()
    with pytest.raises(StoreConflictError, match="add the --segment that the store was built with"):
        cut(corpora / "s.zarr", corpora, request_of(corpora))
    repaired = cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    assert (repaired.units_built, repaired.document.digest) == (0, first.document.digest)


@pytest.mark.parametrize("text", ["2.5", "0.05,1"])
def test_windows_that_are_no_usable_clips_are_refused(cut: Cut, corpora: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"a clip has 0\.1 to 2 s \(min_duration_s and max_duration_s"):
        cut(corpora / "s.zarr", corpora, request_of(corpora), text)
    assert not (corpora / "s.zarr").exists()


def test_listening_cuts_as_the_build_did(cut: Cut, corpora: Path) -> None:
    cut(corpora / "s.zarr", corpora, request_of(corpora), WINDOWS)
    clip = "talks/long#0002000-0003500"
    listen(ListenRequest(str(corpora / "s.zarr"), clip, corpora, request_of(corpora)), corpora / "a")
    request = cut_by_soundfile(corpora, FeatureStore.open(corpora / "s.zarr"))
    cut(corpora / "cut.zarr", corpora, request)
    listen(ListenRequest(str(corpora / "cut.zarr"), clip, corpora, request), corpora / "b")
    ours, theirs = (sorted((corpora / name).iterdir()) for name in ("a", "b"))
    assert len(ours) == 3
    assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs]
