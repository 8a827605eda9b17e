"""The microphone: blocks of a stream with sounddevice's contract, and this machine's own state."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import training.predict.microphone
from tests.training.predict.test_predict import called, trained
from training.predict.microphone import AudioStream, Callback, MicrophoneError, OpenStream, microphone

RATE = 48_000

SOUNDDEVICE = '''
"""A device without PortAudio: gives the samples of $SOUND, over and over, as sounddevice does."""
import os, threading, time
import numpy, soundfile
from types import SimpleNamespace

class PortAudioError(Exception):
    pass

def query_devices(kind):
    if "SOUND" not in os.environ:
        raise PortAudioError("Error querying device -1")
    return {"default_samplerate": float(soundfile.info(os.environ["SOUND"]).samplerate)}

class InputStream:
    def __init__(self, samplerate, channels, dtype, callback):
        self.samplerate, self.callback, self.open = samplerate, callback, True
        self.samples, _ = soundfile.read(os.environ["SOUND"], dtype=dtype, always_2d=True)
        self.samples = numpy.tile(self.samples[:, :channels], (100, 1))
    def start(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
    def run(self):
        buffer = numpy.empty((1024, 1), "f4")
        for at in range(0, len(self.samples) - 1024, 1024):
            if not self.open:
                return
            buffer[:] = self.samples[at : at + 1024]
            self.callback(buffer, 1024, None, SimpleNamespace(input_overflow=at == 20480))
            buffer[:] = 9.9
            time.sleep(float(os.environ.get("PAUSE", "0")))
    def close(self):
        self.open = False
        self.thread.join()
'''


def stream_of(blocks: list[np.ndarray], overflowed: frozenset[int] = frozenset()) -> OpenStream:
    """A stream that gives ``blocks`` from a thread of its own, out of one buffer, then nothing more."""

    @contextmanager
    def opened(callback: Callback) -> Iterator[AudioStream]:
        def run() -> None:
            buffer = np.empty((max(map(len, blocks)), blocks[0].shape[1]), dtype=np.float32)
            for i, block in enumerate(blocks):
                buffer[: len(block)] = block
                callback(
                    buffer[: len(block)], len(block), None, SimpleNamespace(input_overflow=i in overflowed)
                )
                buffer[:] = 9.9

        thread = threading.Thread(target=run)
        thread.start()
        yield SimpleNamespace(samplerate=float(RATE))
        thread.join()

    return opened


def never() -> bool:
    return False


def test_blocks_are_mono_whole_and_end_to_the_sample() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (5 * 480, 2)).astype(np.float32)
    blocks = np.split(samples, 5)
    with microphone(stream_of(blocks)) as heard:
        assert heard.rate == RATE
        found = np.concatenate(list(heard.blocks(never, 0.0321, lambda _: None)))
    np.testing.assert_allclose(found, samples.mean(axis=1)[: round(0.0321 * RATE)], atol=1e-7)


def test_sound_that_the_device_lost_is_told_with_its_place() -> None:
    blocks = [np.zeros((480, 1), dtype=np.float32)] * 4
    lost: list[float] = []
    with microphone(stream_of(blocks, frozenset({2}))) as heard:
        list(heard.blocks(never, 0.04, lost.append))
    assert lost == [pytest.approx(0.02)]


def test_a_stop_ends_the_sound_between_blocks() -> None:
    blocks = [np.zeros((480, 1), dtype=np.float32)] * 4
    taken: list[int] = []
    with microphone(stream_of(blocks)) as heard:
        blocks_heard = heard.blocks(lambda: len(taken) == 2, None, lambda _: None)
        taken.extend(len(block) for block in blocks_heard)
    assert taken == [480, 480]


def test_a_device_that_falls_silent_or_gives_nan_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.predict.microphone, "PATIENCE_S", 0.3)
    with (
        microphone(stream_of([np.zeros((480, 1), dtype=np.float32)])) as heard,
        pytest.raises(MicrophoneError, match="no sound from the microphone for"),
    ):
        list(heard.blocks(never, None, lambda _: None))
    broken = np.full((480, 1), np.nan, dtype=np.float32)
    with microphone(stream_of([broken])) as heard, pytest.raises(MicrophoneError, match="NaN"):
        list(heard.blocks(never, None, lambda _: None))


@pytest.fixture(scope="module")
def run(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(demo_store, tmp_path_factory.mktemp("microphone"), "functionals").folder.path


@pytest.fixture(scope="module")
def sound(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5 s of speech, mono at 16 kHz."""
    speech = []
    for source in sorted((small_demo / "demo").rglob("*.wav"))[:6]:
        samples, rate = soundfile.read(source, dtype="float32")
        speech.append(samples[:: max(1, rate // 16_000)])
    path = tmp_path_factory.mktemp("sound") / "sound.wav"
    soundfile.write(path, np.resize(np.concatenate(speech), 80_000), 16_000, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a module in the place of sounddevice, for a process of its own."""
    folder = tmp_path_factory.mktemp("device")
    (folder / "sounddevice.py").write_text(SOUNDDEVICE, encoding="utf-8")
    return folder


def process(run: Path, device: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from training.cli.predict import main; main()", str(run), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": str(device)},
    )


@pytest.mark.slow
def test_the_microphone_is_told_as_a_file_of_the_same_sound(run: Path, sound: Path, device: Path) -> None:
    options = ("--microphone", "--seconds", "5", "--window", "2", "--csv")
    done = process(run, device, *options, SOUND=str(sound))
    text, err = done.communicate(timeout=120)
    assert done.returncode == 0, err
    assert "listening at 16000 Hz" in err
    assert "sound was lost at 1.3 s" in err
    _, of_file, _ = called(run, sound, "--window", "2", "--csv")
    rows, expected = (list(csv.DictReader(io.StringIO(each))) for each in (text, of_file))
    assert len(rows) == 4
    assert {row.pop("clip") for row in rows} == {"microphone"}
    assert {row.pop("clip") for row in expected} == {str(sound)}
    assert rows == expected


@pytest.mark.slow
def test_ctrl_c_ends_the_sound_and_what_was_heard_is_told(run: Path, sound: Path, device: Path) -> None:
    listening = process(run, device, "--microphone", "--step", "0.5", SOUND=str(sound), PAUSE="0.05")
    assert listening.stdout is not None
    rows = [listening.stdout.readline() for _ in range(3)]
    listening.send_signal(signal.SIGINT)
    rest, err = listening.communicate(timeout=120)
    assert listening.returncode == 0, err
    assert "Traceback" not in err
    assert rows[0].split()[:3] == ["from", "to", "emotion"]
    assert rows[2].split()[:4] == ["0.5", "s", "3.5", "s"]
    last = rest.splitlines()[-1].split()
    assert float(last[2]) - float(last[0]) == pytest.approx(3.0, abs=0.11)


@pytest.mark.slow
def test_a_machine_without_a_microphone_is_one_sentence(run: Path, device: Path, tmp_path: Path) -> None:
    listening = process(run, device, "--microphone")
    out, err = listening.communicate(timeout=120)
    assert (listening.returncode, out) == (1, "")
    assert "cannot open a microphone (Error querying device -1); connect one" in " ".join(err.split())


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # as Python itself marks what cannot be imported
    with pytest.raises(MicrophoneError, match=r"install ser-features\[mic\]"), microphone():
        pass


def test_missing_portaudio_is_one_sentence(run: Path) -> None:
    missing = portaudio_missing()
    if missing is None:
        pytest.skip("this machine has PortAudio")
    status, out, err = called(run, "--microphone")
    assert (status, out) == (1, "")
    assert f"({missing}); on Debian and Ubuntu: apt-get install libportaudio2" in " ".join(err.split())


def portaudio_missing() -> str | None:
    """What sounddevice says where PortAudio is missing."""
    try:
        import sounddevice  # noqa: F401
    except OSError as error:
        return str(error)
    return None
