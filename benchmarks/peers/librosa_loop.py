"""The loop of published SER scripts: librosa, one clip at a time, each feature computed from the waveform."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError

import librosa
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

NAME = "librosa, loop"
DOES = (
    "All seven views and seven features; mel, MFCC and chroma compute an STFT each, as such scripts do; one "
    "BLAS thread per process."
)

RATE, LENGTH = 22_050, 66_150
Samples = npt.NDArray[np.float32]
Extract = Callable[[Samples], dict[str, Samples]]
_START_LIMIT_S = 300.0


def run(files: Sequence[Path], processes: int = 1) -> int:
    """Compute the features; returns the number of views. Includes the start of processes: see `prepare`."""
    with prepare(processes) as start:
        return start(files)


def features(y: Samples) -> dict[str, Samples]:
    """The seven features of one waveform, (coefficient, frame) each."""
    mfcc = librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=40)
    return {
        "mel": librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE)),
        "mfcc": mfcc,
        "delta": librosa.feature.delta(mfcc),
        "delta2": librosa.feature.delta(mfcc, order=2),
        "chroma": librosa.feature.chroma_stft(y=y, sr=RATE),
        "rms": librosa.feature.rms(y=y),
        "zcr": librosa.feature.zero_crossing_rate(y),
    }


@contextmanager
def prepare(processes: int = 1, extract: Extract = features) -> Iterator[Callable[[Sequence[Path]], int]]:
    """``run`` with warm processes of one BLAS thread each; this is what to time.

    One process is this one, so that nothing passes between processes. Others are spawned, since a fork of
    a process that has used torch's threads may hang.
    """
    if processes == 1:
        _warm_up(extract)
        with threadpool_limits(1):
            yield lambda files: sum(map(partial(_clip, extract), files))
        return
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _start_worker, (extract, started)) as pool:
        list(pool.map(int, range(processes)))  # returns when every worker has started
        yield lambda files: sum(pool.map(partial(_clip, extract), files))


def load(path: Path) -> Samples:
    """A recording at 22,050 Hz, mono, trimmed, cut or padded to 3 s."""
    y, _ = librosa.load(path, sr=RATE)
    y, _ = librosa.effects.trim(y, top_db=40)
    return np.asarray(librosa.util.fix_length(y, size=LENGTH))


def views(y: Samples, rng: np.random.Generator) -> list[Samples]:
    """The original, noise at 10 to 30 dB SNR, pitch +2 and −2, shift within ± 20 %, speed 0.8 and 1.25."""
    noise = rng.standard_normal(len(y), dtype=np.float32)
    noise *= np.sqrt(np.mean(y**2) / np.mean(noise**2) / 10 ** rng.uniform(1, 3))
    made = [
        y,
        y + noise,
        librosa.effects.pitch_shift(y, sr=RATE, n_steps=2),
        librosa.effects.pitch_shift(y, sr=RATE, n_steps=-2),
        np.roll(y, rng.integers(-len(y) // 5, len(y) // 5 + 1)),
        librosa.resample(y, orig_sr=4, target_sr=5),
        librosa.resample(y, orig_sr=5, target_sr=4),
    ]
    return [librosa.util.fix_length(view, size=LENGTH) for view in made]


def _clip(extract: Extract, path: Path) -> int:
    return len([extract(view) for view in views(load(path), np.random.default_rng(0))])


def _start_worker(extract: Extract, started: Barrier) -> None:
    _warm_up(extract)
    threadpool_limits(1)  # after the warm-up, as a limit applies only to loaded libraries
    try:
        started.wait(_START_LIMIT_S)
    except BrokenBarrierError as error:
        raise RuntimeError(f"not every worker was ready within {_START_LIMIT_S:g} s") from error


def _warm_up(extract: Extract) -> None:
    """Load what librosa imports at first use, and compile what it leaves to numba."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(LENGTH, dtype=np.float32)
    librosa.effects.trim(librosa.resample(noise, orig_sr=48_000, target_sr=RATE), top_db=40)
    for view in views(noise, rng):
        extract(view)
