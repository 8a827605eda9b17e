import hashlib
import wave
from pathlib import Path

import librosa
import numpy as np
import pytest

from data.demo import EMOTIONS, DemoCorpus, write_demo
from data.voices import synthesis
from data.voices.prosody import cast, plan_clip
from data.voices.synthesis import SAMPLE_RATE, render
from schemas.labels import Emotion, Gender


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def samples(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64) / 32768


def test_the_written_corpus_is_the_one_that_is_scanned(whole_demo: Path) -> None:
    scan = DemoCorpus().scan(whole_demo / "demo")
    speakers = {clip.speaker: clip.gender for clip in scan.clips}
    assert len(scan.clips) == 672 == DemoCorpus().expected_clips
    assert sorted(speakers.values()) == [Gender.FEMALE] * 8 + [Gender.MALE] * 8
    per_cell = {
        (s, e): sum(c.speaker == s and c.emotion is e for c in scan.clips) for s in speakers for e in EMOTIONS
    }
    assert set(per_cell.values()) == {6}
    assert (scan.ignored, scan.notices) == ((), ())


def test_no_clip_is_silent_or_clipped_and_lengths_are_those_of_speech(whole_demo: Path) -> None:
    for path in (whole_demo / "demo").rglob("*.wav"):
        signal = samples(path)
        assert 1.1 <= signal.size / SAMPLE_RATE <= 2.6, path.name
        assert 0.05 < np.abs(signal).max() < 0.999, path.name
        assert -42 < 10 * np.log10(np.mean(signal**2)) < -12, path.name


def test_a_second_write_has_the_same_bytes_and_one_that_was_cut_short_is_completed(
    whole_demo: Path, tmp_path: Path
) -> None:
    first = digests(whole_demo / "demo")
    lost = sorted(first)[5::25]
    kept = [name for name in first if name not in lost]
    for name in kept:
        target = tmp_path / "demo" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((whole_demo / "demo" / name).read_bytes())
    (tmp_path / "demo" / lost[1]).touch()
    seen: list[tuple[int, int]] = []
    written = write_demo(tmp_path, lambda done, total: seen.append((done, total)))
    assert written == tmp_path / "demo"
    assert digests(tmp_path / "demo") == first
    assert seen == [(done, 672) for done in range(len(kept) + 1, 673)]
    seen.clear()
    write_demo(tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(672, 672)]


def test_a_clip_does_not_depend_on_which_others_are_made() -> None:
    speaker = cast()[3]
    alone = render(plan_clip(speaker, "s2", Emotion.HAPPY, 1))
    render(plan_clip(cast()[0], "s1", Emotion.SAD, 2))
    assert np.array_equal(alone, render(plan_clip(speaker, "s2", Emotion.HAPPY, 1)))
    assert not np.array_equal(alone[:8000], render(plan_clip(speaker, "s2", Emotion.HAPPY, 2))[:8000])


@pytest.mark.parametrize("speaker", cast()[::3], ids=lambda speaker: speaker.name)
@pytest.mark.parametrize("emotion", [Emotion.NEUTRAL, Emotion.SAD, Emotion.SURPRISED])
def test_the_pitch_that_yin_measures_is_the_planned_one(speaker, emotion: Emotion) -> None:
    clip = plan_clip(speaker, "s2", emotion, 1)
    signal = render(clip).astype(np.float64) / 32768
    measured = librosa.yin(signal, fmin=60, fmax=520, sr=SAMPLE_RATE, frame_length=1024, hop_length=160)
    vowels = clip.voicing > 0.6
    off = 12 * np.log2(np.median(measured[: vowels.size][vowels]) / np.median(clip.f0_hz[vowels]))
    assert abs(off) < 0.7


def test_women_speak_higher_than_men() -> None:
    f0 = {s.name: float(np.median(plan_clip(s, "s1", Emotion.NEUTRAL, 1).f0_hz)) for s in cast()}
    women = [hz for name, hz in f0.items() if name[0] == "f"]
    men = [hz for name, hz in f0.items() if name[0] == "m"]
    assert np.median(women) > 1.4 * np.median(men)
    assert min(women) > max(men)


def test_emotions_differ_in_the_mean_and_overlap_clip_by_clip() -> None:
    def pitch_and_length(emotion: Emotion) -> np.ndarray:
        plans = [(s, plan_clip(s, sentence, emotion, 1)) for s in cast() for sentence in ("s1", "s2", "s3")]
        return np.array(
            [[12 * np.log2(np.median(p.f0_hz) / s.f0_hz), p.duration_s, p.level_db] for s, p in plans]
        )

    angry, sad, happy = map(pitch_and_length, (Emotion.ANGRY, Emotion.SAD, Emotion.HAPPY))
    assert angry[:, 0].mean() > sad[:, 0].mean() + 1
    assert sad[:, 1].mean() > 1.1 * angry[:, 1].mean()
    assert angry[:, 2].mean() > sad[:, 2].mean() + 5
    assert happy[:, 0].min() < angry[:, 0].mean() < happy[:, 0].max()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="demo"):
        write_demo(tmp_path)


def test_a_clip_that_cannot_be_finished_leaves_no_file_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(synthesis, "SENTENCES", {"s1": synthesis.SENTENCES["s1"]})
    monkeypatch.setattr(synthesis, "REPETITIONS", (1,))
    with pytest.raises(OSError, match="No space left"):
        write_demo(tmp_path)
    assert digests(tmp_path / "demo") == {}


def test_names_that_are_no_demo_clip_are_ignored(tree) -> None:
    scan = DemoCorpus().scan(tree("f01/f01_s1_calm_1.wav", "x01/x01_s1_sad_1.wav"))
    assert scan.clips == ()
    assert len(scan.ignored) == 2
