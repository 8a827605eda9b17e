"""``ser-features listen``: what a person hears is what the pipeline makes features of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from featurestore.build import BuildRequest, build
from featurestore.listen import listen as steps
from featurestore.listen.clip import ListenRequest
from featurestore.listen.listen import ListenResult, listen
from featurestore.listen.view_words import parameter_text
from featurestore.listen.wav import write_wav
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from pipelines.pipeline import Pipeline
from schemas.errors import (
    CorpusNotFoundError,
    RecordingError,
    StorageError,
    StoreConflictError,
    UnknownNameError,
    UsageError,
)
from tests import commands

CLIP = "demo/f01_s1_angry_1"
STEP = 1 / 32_768


@pytest.fixture
def heard(demo_store: Path, small_demo: Path, tmp_path: Path) -> ListenResult:
    return listen(ListenRequest(str(demo_store), CLIP, small_demo), tmp_path / "sounds")


def by_name(heard: ListenResult) -> dict[str, Path]:
    return {each.view.name: each.file.path for each in heard.views}


def test_features_of_the_files_are_the_rows_of_the_store(heard: ListenResult, demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    row = list(store.manifest["clip_id"]).index(CLIP)
    views = range(len(store.spec.view_names))
    stored = store.read([row], views)
    frames = store.valid_frames([row], views)
    bare = Pipeline(store.spec.model_copy(update={"views": ()}), torch.device("cpu"))

    for view, each in enumerate(heard.views):
        samples, rate = soundfile.read(each.file.path, dtype="float32")
        assert rate == store.spec.audio.sample_rate
        computed = bare(["heard"], [samples])
        valid = frames[view, 0]
        assert computed.valid_frames[0, 0] == valid
        for name, limit in (("mel", 0.3), ("mfcc", 2.0), ("rms", 2e-4)):
            got = computed.arrays[name][0, 0, :, :valid].astype(np.float64)
            want = stored[name][view, 0, :, :valid].astype(np.float64)
            assert np.abs(got - want).mean() < limit / 10, (each.view.name, name)
        # Sound itself, above what 16 bits leave of silence: within float16's own step.
        mel = stored["mel"][view, 0, :, :valid].astype(np.float64)
        loud = mel > mel.max() - 40
        assert np.abs(computed.arrays["mel"][0, 0, :, :valid].astype(np.float64) - mel)[loud].max() < 0.3


def test_parameters_are_those_that_the_store_has(heard: ListenResult, demo_store: Path) -> None:
    table = pd.read_parquet(demo_store / "views.parquet").query("clip_id == @CLIP").sort_values("view")

    assert [each.view.name for each in heard.views] == list(table["name"])
    assert [each.view.kind for each in heard.views] == list(table["kind"])
    np.testing.assert_array_equal(
        np.array([each.view.parameter for each in heard.views], dtype=float), table["parameter"].to_numpy()
    )


def test_the_noise_lies_as_far_below_the_voice_as_it_says(heard: ListenResult) -> None:
    original, _ = soundfile.read(by_name(heard)["original"])
    noisy, _ = soundfile.read(by_name(heard)["noise"])
    snr = 10 * np.log10(np.sum(original**2) / np.sum((noisy - original) ** 2))

    assert snr == pytest.approx(heard.views[1].view.parameter, abs=0.02)


def test_the_shift_rotates_by_as_many_samples_as_it_says(heard: ListenResult) -> None:
    original, _ = soundfile.read(by_name(heard)["original"])
    shifted, _ = soundfile.read(by_name(heard)["shift"])
    (view,) = [each.view for each in heard.views if each.view.kind == "shift"]

    np.testing.assert_array_equal(np.roll(original, int(view.parameter or 0)), shifted)


def pitch_hz(path: Path) -> float:
    samples, rate = librosa.load(path, sr=None)
    f0 = librosa.yin(samples, fmin=80, fmax=600, sr=rate)
    level = librosa.feature.rms(y=samples)[0]
    return float(np.median(f0[level > 0.3 * level.max()]))


def test_librosa_hears_the_pitch_and_the_tempo_that_the_table_says(heard: ListenResult) -> None:
    files = by_name(heard)
    first = pitch_hz(files["original"])
    length = librosa.get_duration(path=files["original"])

    for each in heard.views:
        moved = 12 * np.log2(pitch_hz(each.file.path) / first)
        if each.view.kind == "pitch":
            assert moved == pytest.approx(each.view.parameter, abs=0.25)
        elif each.view.kind == "speed":
            factor = each.view.parameter or 0
            assert moved == pytest.approx(12 * np.log2(factor), abs=0.35)
            if factor > 1:
                assert each.seconds == pytest.approx(length / factor, rel=0.01)


def test_a_corpus_is_heard_by_the_specification_that_a_build_would_choose(
    heard: ListenResult, small_demo: Path, tmp_path: Path
) -> None:
    bare = listen(ListenRequest("demo", "f01_s1_angry_1", small_demo, augment=6), tmp_path / "bare")

    for one, other in zip(heard.views, bare.views, strict=True):
        assert one.file.path.read_bytes() == other.file.path.read_bytes()


def test_recipe_seed_and_number_of_views_are_heeded(
    small_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    request = ListenRequest("demo", CLIP, small_demo, augment=1, recipe=tiny_recipe)
    one = listen(request, tmp_path / "a")
    other = listen(replace(request, seed=7), tmp_path / "b")

    assert [each.file.path.name for each in one.views] == [
        "f01_s1_angry_1-0-original.wav",
        "f01_s1_angry_1-1-noise.wav",
    ]
    assert one.sample_rate == 8000
    assert one.views[1].view.parameter != other.views[1].view.parameter


def test_a_store_of_own_recordings_is_heard_where_they_are(
    small_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "angry").mkdir(parents=True)
    voice = small_demo / "demo" / "f01" / "f01_s1_angry_1.wav"
    (tmp_path / "mine" / "angry" / "a b.wav").write_bytes(voice.read_bytes())
    at = f"mine={tmp_path / 'mine'}"
    store = tmp_path / "mine.zarr"
    build(BuildRequest(store, tmp_path, at, SpecRequest(recipe=tiny_recipe)))

    found = listen(ListenRequest(str(store), "angry/a b.wav", tmp_path, datasets=at), tmp_path / "out")
    bare = listen(ListenRequest(at, "a b", tmp_path, recipe=tiny_recipe), tmp_path / "bare")

    names = [sorted(path.name for path in (tmp_path / out).iterdir()) for out in ("out", "bare")]
    assert names[0] == names[1]
    assert all(" " not in each.file.path.name for each in found.views)
    assert [each.view.parameter for each in found.views] == [each.view.parameter for each in bare.views]
    with pytest.raises(UnknownNameError, match=f"add --datasets {at}$"):
        listen(ListenRequest(str(store), "a b", tmp_path), tmp_path / "out")
    with pytest.raises(UnknownNameError, match=r"mine was not found .* add --datasets mine=PATH$"):
        listen(ListenRequest(str(store), "a b", tmp_path / "elsewhere"), tmp_path / "out")


def test_a_known_corpus_that_is_elsewhere_is_told_with_the_option(tiny_store: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match=r"demo was not found .* add --datasets demo=PATH$"):
        listen(ListenRequest(str(tiny_store), CLIP, tmp_path), tmp_path / "out")


def test_what_trimming_removed_is_told_in_seconds(small_demo: Path, tmp_path: Path) -> None:
    voice, rate = soundfile.read(small_demo / "demo" / "f01" / "f01_s1_angry_1.wav", dtype="float32")
    silence = np.zeros(rate // 2, np.float32)
    folder = tmp_path / "mine" / "angry"
    folder.mkdir(parents=True)
    soundfile.write(folder / "x.wav", np.concatenate([silence, voice, silence, silence]), rate, "FLOAT")
    recipe = tmp_path / "trim.toml"
    recipe.write_text(
        'name = "trim"\n[audio]\nsample_rate = 22050\nduration_s = 0.5\ntrim_db = 40.0\n[spectral]\n'
        'n_fft = 512\nhop_length = 128\n[[features]]\nkind = "rms"\n[model]\nname = "A"\n'
    )

    found = listen(
        ListenRequest(f"mine={tmp_path / 'mine'}", "x", tmp_path, recipe=str(recipe)), tmp_path / "out"
    )

    padded, _ = librosa.load(folder / "x.wav", sr=22_050, res_type="soxr_hq")
    _, (start, stop) = librosa.effects.trim(padded, top_db=40)
    assert found.waveforms.trimmed_start_s == pytest.approx(start / 22_050, abs=1e-9)
    assert found.waveforms.trimmed_end_s == pytest.approx((len(padded) - stop) / 22_050, abs=1e-9)
    assert found.waveforms.cut_s == pytest.approx((stop - start) / 22_050 - 0.5, abs=1e-9)
    assert found.waveforms.trimmed_start_s > 0.4


@pytest.fixture
def store_of_a_copy(own_demo: Path, tiny_build: Callable[..., object], tmp_path: Path) -> Path:
    store = tmp_path / "copy.zarr"
    tiny_build(store, own_demo)
    return store


def test_a_recording_that_changed_since_the_build_is_refused(
    store_of_a_copy: Path, own_demo: Path, tmp_path: Path
) -> None:
    recording = next(own_demo.rglob("f01_s1_angry_1.wav"))
    recording.write_bytes(recording.read_bytes() + b"\0\0")

    with pytest.raises(StoreConflictError, match="is not the recording that"):
        listen(ListenRequest(str(store_of_a_copy), CLIP, own_demo), tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_recording_that_is_gone_is_told(store_of_a_copy: Path, own_demo: Path, tmp_path: Path) -> None:
    next(own_demo.rglob("f01_s1_angry_1.wav")).unlink()

    with pytest.raises(CorpusNotFoundError, match=r"demo/f01_s1_angry_1 is not in .*--datasets demo=PATH"):
        listen(ListenRequest(str(store_of_a_copy), CLIP, own_demo), tmp_path / "out")


def test_a_recording_that_moved_within_its_corpus_is_found(
    store_of_a_copy: Path, own_demo: Path, tmp_path: Path
) -> None:
    recording = next(own_demo.rglob("f01_s1_angry_1.wav"))
    recording.rename(own_demo / "demo" / recording.name)

    assert len(listen(ListenRequest(str(store_of_a_copy), CLIP, own_demo), tmp_path / "out").views) == 3


def test_values_that_differ_from_the_store_s_are_an_error(
    tiny_store: Path, whole_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every table of a store is hashed, so that one with other values is forged here."""
    found = steps.find_subject(ListenRequest(str(tiny_store), CLIP, whole_demo))
    assert found.stored is not None
    other = {
        name: replace(said, parameter=21.0) if name == "noise" else said
        for name, said in found.stored.items()
    }
    monkeypatch.setattr(steps, "find_subject", lambda _: replace(found, stored=other))

    with pytest.raises(StoreConflictError, match=r"view noise of demo/f01_s1_angry_1 .* records 21\.0"):
        listen(ListenRequest(str(tiny_store), CLIP, whole_demo), tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_bad_recording_is_told_with_its_problem(
    own_demo: Path, tiny_build: Callable[..., object], tmp_path: Path
) -> None:
    next(own_demo.rglob("f01_s1_angry_1.wav")).write_bytes(b"")
    tiny_build(tmp_path / "s.zarr", own_demo)

    with pytest.raises(UsageError, match=r"its recording is bad \(empty file"):
        listen(ListenRequest(str(tmp_path / "s.zarr"), CLIP, own_demo), tmp_path / "out")
    with pytest.raises(RecordingError, match="cannot be used: empty file"):
        listen(ListenRequest("demo", CLIP, own_demo), tmp_path / "out")


def test_options_of_a_corpus_are_refused_for_a_store(
    tiny_store: Path, whole_demo: Path, tmp_path: Path
) -> None:
    for option in ({"augment": 6}, {"recipe": "four-corpora-a"}, {"seed": 1}):
        with pytest.raises(UsageError, match="has its own views"):
            listen(replace(ListenRequest(str(tiny_store), CLIP, whole_demo), **option), tmp_path)
    with pytest.raises(UsageError, match="is a corpus"):
        listen(ListenRequest("demo", CLIP, whole_demo, datasets="demo"), tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tiny_store: Path, whole_demo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="cannot write"):
        listen(ListenRequest(str(tiny_store), CLIP, whole_demo), tmp_path / "file" / "out")


def test_pcm_keeps_every_sample_within_its_step(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 10_000).astype(np.float32)
    samples[:3] = 1.0, -1.0, 0.0

    file = write_wav(tmp_path / "a.wav", samples, 16_000)

    read, _ = soundfile.read(file.path, dtype="float64")
    assert soundfile.info(file.path).subtype == "PCM_16"
    assert np.abs(read[1:] - samples[1:]).max() <= STEP
    assert np.abs(read[3:] - samples[3:])[np.abs(samples[3:]) < 1 - STEP].max() <= STEP / 2 + 1e-9


def test_a_view_beyond_full_scale_is_never_clipped(tmp_path: Path) -> None:
    samples = np.array([0.5, 1.25, -3.0], np.float32)

    file = write_wav(tmp_path / "a.wav", samples, 16_000)

    read, _ = soundfile.read(file.path, dtype="float32")
    assert (file.is_float, soundfile.info(file.path).subtype) == (True, "FLOAT")
    np.testing.assert_array_equal(read, samples)


def test_parameters_have_their_units(heard: ListenResult) -> None:
    shown = {
        each.view.kind: parameter_text(each.view.kind, each.view.parameter, heard.sample_rate)
        for each in heard.views
    }

    assert shown["original"] == ""
    assert shown["noise"].startswith("SNR ")
    assert shown["noise"].endswith(" dB")
    assert shown["pitch"].endswith(" semitones")
    assert shown["shift"].endswith(" samples)")
    assert shown["speed"].startswith("× ")


def test_the_command_prints_a_table_json_and_one_sentence(
    tiny_store: Path, whole_demo: Path, tmp_path: Path
) -> None:
    def run(*options: str) -> commands.Completed:
        found = ["listen", tiny_store, *options, "--corpora", whole_demo, "--out", tmp_path / "out"]
        return commands.run("ser-features", *found, status=None)

    shown, parsed, failed = run("f01_s1_angry_1"), run("f01_s1_angry_1", "--json"), run("f01_s1_angri_1")

    assert "f01_s1_angry_1-2-fast.wav" in shown.stdout
    assert "trimmed: 0.000 s at the start" in shown.stdout
    views = json.loads(parsed.stdout)["views"]
    assert [view["unit"] for view in views] == [None, "dB", "factor"]
    assert all(Path(view["file"]).is_file() for view in views)
    assert failed.returncode == 2
    assert "the closest are demo/f01_s1_angry_1" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("original", None, ""),
        ("noise", float("nan"), ""),
        ("noise", 17.26, "SNR 17.3 dB"),
        ("pitch", -2.0, "-2.00 semitones"),
        ("shift", -1600.0, "-0.100 s (-1600 samples)"),
        ("speed", 1.25, "× 1.250"),
    ],
)
def test_what_was_drawn_is_told_with_its_unit(kind: str, value: float | None, words: str) -> None:
    assert parameter_text(kind, value, 16_000) == words
