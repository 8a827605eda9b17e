"""What a build reads of each recording, and what it refuses without reading it."""

import os
from pathlib import Path

import pytest

from featurestore.compute import reader
from featurestore.compute.reader import ReadSettings, read_clip
from featurestore.compute.stages import Stages
from featurestore.plan.units import SourceClip
from pipelines.recording import source as sources
from pipelines.recording.source import MemorySource
from schemas.clip import Clip
from schemas.errors import MemoryShortError
from schemas.labels import Emotion, Gender
from schemas.spec import AudioSpec
from tests.pipelines.recording.encodings import RATE, encode

SETTINGS = ReadSettings(AudioSpec(sample_rate=RATE), 10 * RATE, 1, "soundfile", Stages())


def _source(path: Path, sha256: str | None) -> SourceClip:
    clip = Clip(
        clip_id="calls/a",
        dataset="calls",
        path=path.name,
        speaker="calls/a",
        gender=Gender.UNKNOWN,
        emotion=Emotion.ANGRY,
        label="angry",
    )
    return SourceClip(clip, path, sha256)


def _write(path: Path, data: bytes) -> SourceClip:
    path.write_bytes(data)
    return _source(path, MemorySource(data).sha256())


@pytest.fixture(params=["read whole", "read as needed"])
def any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read like large ones, too."""
    if request.param == "read as needed":
        monkeypatch.setattr(sources, "WHOLE_BYTES", 100)


@pytest.mark.usefixtures("any_size")
def test_a_recording_of_any_size_has_its_samples_and_notes(tmp_path: Path) -> None:
    data = bytearray(encode("WAV", "PCM_16"))
    data[40:44] = bytes(4)
    read = read_clip(_write(tmp_path / "a.flac", bytes(data)), SETTINGS)
    assert read.recording is not None
    assert len(read.recording.samples) == RATE
    assert read.note == (
        "WAV data under a .flac name; the header announces 0 bytes of samples, the file holds 16000"
    )


@pytest.mark.usefixtures("any_size")
def test_other_bytes_than_the_planned_ones_are_noticed(tmp_path: Path) -> None:
    source = _write(tmp_path / "a.wav", encode("WAV", "PCM_16"))
    source.file.write_bytes(encode("WAV", "PCM_16", 8001))
    read = read_clip(source, SETTINGS)
    assert (read.recording, read.audio_sha256) == (None, None)
    assert read.problem == "changed while the store was built; build again"


def test_a_large_file_that_its_header_rules_out_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 1_500_000_000
    head = encode("WAV", "PCM_16")[:40] + size.to_bytes(4, "little")
    path = tmp_path / "long.wav"
    path.write_bytes(head)
    os.truncate(path, len(head) + size)
    monkeypatch.setattr(sources.FileSource, "sha256", lambda _: pytest.fail("all of it was read"))
    read = read_clip(_source(path, "0" * 64), SETTINGS)
    assert read.problem == "93750 s long; the limit is 60 s (audio.max_duration_s)"
    assert read.audio_sha256 == "0" * 64


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    read = read_clip(_source(tmp_path / "pipe.wav", None), SETTINGS)
    assert read.problem == "cannot be read: it is a named pipe, not a file"


def test_too_little_memory_ends_the_build_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reader, "decode", decode)
    with pytest.raises(MemoryShortError, match=r"not enough memory to decode '.*a\.wav'; free some"):
        read_clip(_write(tmp_path / "a.wav", encode("WAV", "PCM_16")), SETTINGS)
