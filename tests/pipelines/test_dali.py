import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from pipelines import dali
from pipelines.dali import DaliClip, Refused, dali_clips
from pipelines.decode import mean_of_channels
from schemas.errors import UsageError
from tests.pipelines.speech import RATE, encoded, gliding_voice, tone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NVIDIA DALI has wheels for Linux alone")


def write(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def tones(folder: Path, count: int) -> list[Path]:
    """Files that differ in length and pitch."""
    sounds = {f"{k:03d}.wav": encoded(tone(200 + 20 * k, 0.1 + 0.001 * k), RATE) for k in range(count)}
    return write(folder, sounds)


def assert_is(clip: DaliClip | Refused, file: Path) -> None:
    """Bit for bit."""
    assert isinstance(clip, DaliClip), clip
    channels, _ = soundfile.read(os.fsencode(file), dtype="float32", always_2d=True)
    assert clip.channels.dtype == clip.mono.dtype == torch.float32
    assert np.array_equal(clip.channels.numpy(), channels, equal_nan=True)
    assert np.array_equal(clip.mono.numpy(), mean_of_channels(channels), equal_nan=True)
    assert hashlib.sha256(clip.data).digest() == hashlib.sha256(file.read_bytes()).digest()


def damaged_ogg() -> bytes:
    """Vorbis that lacks samples, as the last page but one fails its checksum; its header is sound."""
    data = bytearray(encoded(gliding_voice(150, 4.0), RATE, "OGG", "VORBIS"))
    last = data.rindex(b"OggS")
    data[data.rindex(b"OggS", 0, last) + 100] ^= 1
    return bytes(data)


def threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("kind", "subtype", "rate"),
    [
        ("WAV", "PCM_U8", RATE),
        ("WAV", "PCM_16", RATE),
        ("WAV", "PCM_16", 96_000),
        ("WAV", "PCM_24", 48_000),
        ("WAV", "PCM_32", RATE),
        ("WAV", "FLOAT", 24_414),
        ("WAV", "DOUBLE", RATE),
        ("WAV", "ULAW", 8_000),
        ("WAVEX", "PCM_16", RATE),
        ("RF64", "PCM_16", RATE),
        ("W64", "PCM_24", RATE),
        ("AIFF", "PCM_16", RATE),
        ("AIFF", "FLOAT", RATE),  # AIFF-C
        ("AIFF", "ULAW", RATE),  # AIFF-C
    ],
)
def test_every_container_gives_the_mean_of_the_channels_that_soundfile_reads(
    tmp_path: Path, kind: str, subtype: str, rate: int, channels: int
) -> None:
    sounds = [0.2 + gliding_voice(100 + 40 * channel, 0.4, rate) for channel in range(channels)]
    (file,) = write(tmp_path, {"sound.wav": encoded(np.stack(sounds, axis=1), rate, kind, subtype)})
    (clip,) = dali_clips([file], 1)
    assert_is(clip, file)


def test_real_recordings_held_over_many_batches_stay_what_they_are(
    real_corpora: Path, tmp_path: Path
) -> None:
    sources = [
        *sorted(real_corpora.glob("tess/*/*.flac"))[::20],
        *sorted(real_corpora.glob("ravdess/*/*.flac"))[::20],
    ]
    stereo = [path for path in real_corpora.glob("ravdess/*/*.flac") if soundfile.info(path).channels == 2]
    files = []
    for place, source in enumerate([*stereo, *sources[:100]]):
        samples, rate = soundfile.read(source, dtype="int16")
        files.append(tmp_path / f"{place}.wav")
        soundfile.write(files[-1], samples, rate, subtype="PCM_16")
    clips = list(dali_clips(files, 2, batch=8))
    assert len(files) > 40
    assert len(clips) == len(files)
    for clip, file in zip(clips, files, strict=True):
        assert_is(clip, file)


def test_samples_are_not_copied_out_of_dalis_batch(tmp_path: Path) -> None:
    """DALI lays the clips of a batch end to end; copies would start at addresses of their own."""
    clips = [clip for clip in dali_clips(tones(tmp_path, 4), 1, batch=4) if isinstance(clip, DaliClip)]
    assert len(clips) == 4
    for first, second in pairwise(clips):
        assert second.mono.data_ptr() == first.mono.data_ptr() + 4 * len(first.mono)
        assert not first.data.flags.owndata


NAN = tone(440, 0.2)
NAN[50:53] = np.nan

UNJUDGED = {
    "nan.wav": encoded(NAN, RATE, "WAV", "FLOAT"),
    "loud.wav": encoded(1e6 * tone(440, 0.2), RATE, "WAV", "FLOAT"),
    "no samples.wav": encoded(np.zeros(0, np.float32), RATE),
}

BAD = {
    "empty.wav": (b"", "no known audio format"),
    "text.wav": (b"this is not a sound\n" * 50, "no known audio format"),
    "header alone.wav": (encoded(tone(440, 0.2), RATE)[:20], "the WAV header is damaged or incomplete"),
    "truncated.wav": (encoded(tone(440, 0.2), RATE)[:3001], "its header is not left to DALI"),
    "tagged.wav": (b"ID3\3\0\0\0\0\0\4" + bytes(4) + encoded(tone(440, 0.2), RATE), "behind a tag"),
    "mp3.wav": (encoded(tone(440, 0.2), RATE, "MP3"), "MP3 is not left to DALI"),
    "flac.wav": (encoded(tone(440, 0.2), RATE, "FLAC"), "FLAC is not left to DALI"),
    "ogg.wav": (encoded(tone(440, 0.2), RATE, "OGG", "VORBIS"), "OGG is not left to DALI"),
    "surround.wav": (encoded(np.stack([tone(440, 0.2)] * 3, 1), RATE), "3 channels are not left to DALI"),
}


def test_what_is_odd_but_readable_comes_unjudged(tmp_path: Path) -> None:
    files = write(tmp_path, UNJUDGED)
    for clip, file in zip(dali_clips(files, 1), files, strict=True):
        assert_is(clip, file)


def test_bad_files_are_refused_by_name_and_their_neighbours_survive(tmp_path: Path) -> None:
    good = tones(tmp_path, len(BAD) + 3)
    bad = write(tmp_path, {name: data for name, (data, _) in BAD.items()})
    os.mkfifo(tmp_path / "pipe.wav")
    bad += [tmp_path / "missing.wav", tmp_path, tmp_path / "pipe.wav"]
    reasons = [reason for _, reason in BAD.values()]
    reasons += ["No such file or directory", "a folder, not a file", "a named pipe, not a file"]
    files = [file for pair in zip(good, bad, strict=True) for file in pair]
    results = list(dali_clips(files, 2))
    assert len(results) == len(files)
    for clip, file in zip(results[::2], good, strict=True):
        assert_is(clip, file)
    for refused, file, reason in zip(results[1::2], bad, reasons, strict=True):
        assert isinstance(refused, Refused), file
        assert reason in refused.reason, file
        assert "\n" not in refused.reason
        assert len(refused.reason) < 100


def test_fifty_bad_of_sixty_four_cost_a_pipeline_each_and_no_good_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dali, "CONTAINERS", {"WAV", "OGG"})  # as DALI fails at no WAV with a sound header
    good, (bad,) = tones(tmp_path, 14), write(tmp_path, {"bad.ogg": damaged_ogg()})
    built = []
    build = dali._pipeline
    monkeypatch.setattr(dali, "_pipeline", lambda *given: built.append(0) or build(*given))
    files = [good[place] if place < 14 else bad for place in np.random.default_rng(0).permutation(64)]
    for clip, file in zip(dali_clips(files, 2), files, strict=True):
        if file == bad:
            assert isinstance(clip, Refused)
        else:
            assert_is(clip, file)
    batches = 2
    assert len(built) == 1 + batches + 50


def test_damaged_bytes_give_what_soundfile_reads_or_a_refusal(tmp_path: Path) -> None:
    """A damaged file that soundfile refuses must not slip in through DALI."""
    rng = np.random.default_rng(1)
    voice = gliding_voice(150, 1.0)
    kinds = [
        ("WAV", None),
        ("WAV", "IMA_ADPCM"),
        ("AIFF", None),
        ("W64", None),
        ("FLAC", None),
    ]
    originals = [encoded(voice, RATE, kind, subtype) for kind, subtype in kinds]
    damaged = {}
    for number in range(240):
        data = bytearray(originals[number % len(originals)])
        header = number % 4 == 0
        for position in rng.integers(0, 80 if header else len(data), rng.integers(1, 4)):
            data[position] ^= 1 << int(rng.integers(8))
        damaged[f"{number}.wav"] = bytes(data[: rng.integers(1, len(data))] if number % 7 == 0 else data)
    files = write(tmp_path, damaged)
    results = list(dali_clips(files, 2))
    assert len(results) == len(files)
    for clip, file in zip(results, files, strict=True):
        if isinstance(clip, DaliClip):
            assert_is(clip, file)
    assert 50 < sum(isinstance(clip, Refused) for clip in results) < 200


def test_a_batch_holds_no_more_than_the_limit_and_longer_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = 10 * RATE  # 2 bytes a sample in the file, 4 in memory, 4 of the mean
    monkeypatch.setattr(dali, "BATCH_BYTES", 2 * second)
    lengths = [0.5, 1.9, 2.1, 0.9, 0.9, 0.9]
    files = write(tmp_path, {f"{k}.wav": encoded(tone(440, s), RATE) for k, s in enumerate(lengths)})
    sizes = []
    start = dali._start
    monkeypatch.setattr(dali, "_start", lambda to, batch: sizes.append(len(batch)) or start(to, batch))
    results = list(dali_clips(files, 1))
    assert [isinstance(clip, Refused) for clip in results] == [False, False, True, False, False, False]
    assert isinstance(results[2], Refused)
    assert "too long for DALI" in results[2].reason
    assert sizes == [1, 2, 2, 1]


def test_files_far_ahead_are_not_touched(tmp_path: Path) -> None:
    files = tones(tmp_path, 40)
    clips = dali_clips(files, 1, batch=2)
    assert isinstance(next(clips), DaliClip)
    time.sleep(0.5)  # in which DALI could read all forty
    for file in files[12:]:
        file.unlink()
    rest = list(clips)
    assert [isinstance(clip, Refused) for clip in rest] == [place >= 12 for place in range(1, 40)]


def test_closing_early_ends_dalis_threads_and_leaves_the_clips(tmp_path: Path) -> None:
    files = tones(tmp_path, 40)
    list(dali_clips(files[:2], 1))
    before = threads()
    clips = dali_clips(files, 2, batch=4)
    held = list(islice(clips, 6))
    assert threads() > before
    clips.close()
    assert threads() == before
    for clip, file in zip(held, files, strict=False):
        assert_is(clip, file)


def test_two_worker_threads_decode_at_the_same_time(tmp_path: Path) -> None:
    files = tones(tmp_path, 60)
    orders = [files, files[::-1]]
    with ThreadPoolExecutor(2) as pool:
        decoded = list(pool.map(lambda order: list(dali_clips(order, 1, batch=8)), orders))
    for clips, order in zip(decoded, orders, strict=True):
        for clip, file in zip(clips, order, strict=True):
            assert_is(clip, file)


def test_names_need_not_be_ascii_nor_even_utf8(tmp_path: Path) -> None:
    names = ["Ärger über 悲しみ.wav", "a b\nc.wav", os.fsdecode(b"caf\xe9.wav")]
    files = write(tmp_path, {name: encoded(tone(440 + len(name), 0.1), RATE) for name in names})
    for clip, file in zip(dali_clips(files, 1), files, strict=True):
        assert_is(clip, file)


def test_no_files_give_nothing() -> None:
    assert list(dali_clips([], 1)) == []


def test_missing_dali_is_one_sentence_with_the_command_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    with pytest.raises(UsageError, match=r"not installed; run pip install nvidia-dali-cuda130$"):
        dali_clips([], 1)


def test_the_module_is_imported_without_dali() -> None:
    code = "import sys, pipelines.dali; sys.exit('nvidia.dali' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
