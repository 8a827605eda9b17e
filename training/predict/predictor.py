"""What clips sound like: recordings through the very pipeline that built the store, then a run's model.

::

    file ──▶ decode, resample ─┬▶ trim, scale, cut to the window ──▶ features ──▶ model ──▶ Prediction
                               └▶ windows of so many seconds, each treated as a clip ──▶ …  a timeline
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.decode import decode
from pipelines.device import choose_device
from pipelines.pipeline import Pipeline
from schemas.errors import UsageError
from schemas.labels import label_set
from schemas.spec import StoreSpec
from training.predict.scorer import Scorer, scorer_of
from training.predict.windows import Span, Waveform, spans, window_of
from training.runs.run import RunFolder, RunRecord
from training.samples.targets import emotion_marginal

LONGEST_S = 3600.0
"""Of a recording that is cut into windows."""

SHORTEST_STEP_S = 0.01
"""From window to window: a frame of speech."""

_BATCH = 32
"""Windows that the model is asked about at once."""


@dataclass(frozen=True)
class Prediction:
    """What is heard from ``start_s`` to ``stop_s`` of a recording.

    ``probabilities`` (emotions,) float64 sum to 1, in the order of :attr:`Predictor.emotions`; None where the
    window is silent.
    """

    start_s: float
    stop_s: float
    emotions: tuple[str, ...]
    probabilities: NDArray[np.float64] | None
    unheard_s: float = 0.0
    """Seconds of sound behind what the model hears of a clip."""

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Emotions and their probabilities, the most probable first; empty where there is silence."""
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")
        return [(self.emotions[i], float(self.probabilities[i])) for i in order]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A run's model with the pipeline of the store that it learnt from."""

    record: RunRecord
    spec: StoreSpec
    emotions: tuple[str, ...]
    pipeline: Pipeline
    """From samples to the features of the store."""
    score: Scorer
    """Stored features to the probabilities of the classes of :attr:`record`."""

    @classmethod
    def open(cls, run: str | Path, device: str = "auto") -> Self:
        """Predictor of the run at ``run``, on ``device`` (``auto``, ``cpu``, ``cuda``).

        Raises :class:`RunError` where there is no finished run, or one that cannot tell a clip by itself.
        """
        folder = RunFolder.open(Path(run))
        record = folder.record()
        where = choose_device(device)
        spec = record.store_spec.model_copy(update={"views": ()})
        labels = label_set(record.recipe.labels.set)
        return cls(
            record=record,
            spec=spec,
            emotions=tuple(str(emotion) for emotion in labels.classes),
            pipeline=Pipeline(spec, torch.device("cpu")),
            score=scorer_of(folder, where),
        )

    @property
    def window_s(self) -> float:
        """Seconds of sound that the model hears of a clip, at most."""
        return self.spec.length / self.spec.audio.sample_rate

    def predict(self, file: str | Path | bytes) -> Prediction:
        """Prediction for a recording, a path or the bytes of an audio file, as the clip of a store.

        Silence is trimmed as the store trims it, and what lies behind :attr:`window_s` is not heard. Raises
        :class:`pipelines.decode.UnusableRecordingError` for a file that no store would take, and OSError.
        """
        recording = decode(_bytes_of(file), self.spec.audio)
        (found,) = self.predict_parts([((0.0, recording.duration_s), recording.samples)])
        sound_s = len(recording.samples) / self.spec.audio.sample_rate
        return replace(found, unheard_s=max(0.0, sound_s - self.window_s))

    def timeline(
        self, file: str | Path | bytes, window_s: float | None = None, step_s: float = 1.0
    ) -> Iterator[Prediction]:
        """Predictions for windows of a recording of up to an hour, each treated as a clip.

        ``window_s``: :attr:`window_s` where None; the last window ends with the recording. Raises what
        :meth:`predict` raises, and :class:`UsageError` for windows that are longer than the model hears.
        """
        window_s = self.window_s if window_s is None else window_s
        self.require_windows(window_s, step_s)
        audio = self.spec.audio
        whole = audio.model_copy(update={"trim_db": None, "normalise": "none", "max_duration_s": LONGEST_S})
        recording = decode(_bytes_of(file), whole)
        return self.predict_parts(
            (span, window_of(recording.samples, span, audio))
            for span in spans(recording.duration_s, window_s, step_s)
        )

    def features(self, file: str | Path | bytes) -> dict[str, NDArray[np.floating]]:
        """Feature → (coefficients, frames) of a recording, as the store holds them."""
        samples = decode(_bytes_of(file), self.spec.audio).samples
        arrays = self.pipeline([""], [samples]).arrays
        return {name: arrays[name][0, 0] for name in self.record.features}

    def require_windows(self, window_s: float, step_s: float) -> None:
        """Raise :class:`UsageError` for windows that the model does not hear, or no step."""
        audio = self.spec.audio
        if not audio.min_duration_s <= window_s <= self.window_s + 1e-9:
            raise UsageError(
                f"windows of {window_s:g} s: the model hears {audio.min_duration_s:g} to "
                f"{self.window_s:.4g} s; choose --window between them"
            )
        if not SHORTEST_STEP_S <= step_s <= LONGEST_S:
            raise UsageError(
                f"a step of {step_s:g} s leads nowhere; give {SHORTEST_STEP_S:g} to {LONGEST_S:,.0f} s"
            )

    def predict_parts(self, clips: Iterable[tuple[Span, Waveform | None]]) -> Iterator[Prediction]:
        """Predictions for parts of a sound, some at once: where each lies, and its samples as of a clip.

        Samples (n,) float32 are at the specification's rate, trimmed and scaled as it says; None: silence.
        """
        coming = iter(clips)
        while part := list(islice(coming, _BATCH)):
            heard = [samples for _, samples in part if samples is not None]
            scored = iter(self._probabilities(heard)) if heard else iter(())
            for (start, stop), samples in part:
                yield Prediction(start, stop, self.emotions, None if samples is None else next(scored))

    def inputs(self, clips: Sequence[Waveform]) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
        """What :attr:`score` takes of clips: features (clips, C, T) as stored, valid frames (clips,).

        Features stand side by side. ``clips``: (n,) float32 each, at the specification's rate, trimmed
        and scaled as it says.
        """
        batches = [self.pipeline([""], [samples]) for samples in clips]
        arrays = [batch.arrays for batch in batches]
        stacked = [np.concatenate([found[name][0, 0] for name in self.record.features]) for found in arrays]
        return np.stack(stacked), np.array([batch.valid_frames[0, 0] for batch in batches])

    def marginal(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of classes (clips, classes) → of :attr:`emotions` (clips, emotions)."""
        labels = self.record.recipe.labels
        return emotion_marginal(probabilities, label_set(labels.set), labels.target)

    def _probabilities(self, clips: Sequence[Waveform]) -> NDArray[np.float64]:
        """(clips, emotions)."""
        features, valid = self.inputs(clips)
        return self.marginal(self.score(torch.from_numpy(features), torch.from_numpy(valid)))


def _bytes_of(file: str | Path | bytes) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()
