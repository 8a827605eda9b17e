"""How the prediction for a clip changes if parts of its sound are hidden (occlusion).

::

    sound ─┬▶ trim, scale ───────────────▶ features ▶ model ▶ probabilities ─┐
           └▶ the same samples, part hidden ▶ features ▶ model ▶ …           ┴▶ difference

As Zeiler & Fergus 2014 (arXiv:1311.2901) do with images. The hidden parts are those of the waveform, so this
works for every model. A clip is trimmed and scaled before a part is hidden, so that everything else is equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.decode import UnusableRecordingError, decode_sound, prepare
from pipelines.recording.source import RecordingFile, opened
from pipelines.trim import trim_bounds
from training.explain.hidden import HiddenParts, remove_band, silence
from training.explain.sizes import BANDS, WINDOW_S, require_sizes
from training.predict.ensemble import Ensemble
from training.predict.predictor import Predictor, TooLongError, require_short
from training.predict.windows import Span, Waveform


@dataclass(frozen=True, eq=False)
class Occlusion:
    """Effect of each hidden part on the prediction for a clip.

    ``whole`` (outputs,) float64 are the probabilities of ``outputs``, or values of a regression;
    ``by_window`` (windows, outputs) and ``by_band`` (bands, outputs) are ``whole`` minus the result with the
    part hidden: above 0, the part speaks for the output.
    """

    outputs: tuple[str, ...]
    """Emotions, or dimensions of a regression."""
    is_regression: bool
    whole: NDArray[np.float64]
    parts: HiddenParts
    by_window: NDArray[np.float64]
    by_band: NDArray[np.float64]
    samples: Waveform
    """(n,) float32: what the model hears, at ``rate`` Hz; of several models, the one that hears the most."""
    rate: int
    start_s: float
    """Start of ``samples`` in the recording."""
    unheard_s: float
    """Seconds of sound after the part that the model hears."""

    @property
    def shown(self) -> tuple[int, ...]:
        """Outputs to show: the predicted emotion, or every dimension."""
        return tuple(range(len(self.outputs))) if self.is_regression else (int(self.whole.argmax()),)

    @property
    def stop_s(self) -> float:
        """End of ``samples`` in the recording, seconds."""
        return self.start_s + len(self.samples) / self.rate

    def shift(self, seconds: float) -> Occlusion:
        """The same effects for a clip that starts this many seconds into a recording."""
        return replace(self, parts=self.parts.shift(seconds), start_s=self.start_s + seconds)

    def to_json(self) -> dict[str, Any]:
        """Plain values: the effect of each part on every output."""

        def rows(spans: Sequence[Span], effects: NDArray[np.float64], unit: str) -> list[dict[str, Any]]:
            return [
                {
                    f"from_{unit}": start,
                    f"to_{unit}": stop,
                    "effect": dict(zip(self.outputs, effect, strict=True)),
                }
                for (start, stop), effect in zip(spans, effects.tolist(), strict=True)
            ]

        return {
            "heard_from_s": self.start_s,
            "heard_to_s": self.stop_s,
            "windows": rows(self.parts.windows, self.by_window, "s"),
            "bands": rows(self.parts.bands, self.by_band, "hz"),
        }


def occlude(
    model: Ensemble | Predictor, file: RecordingFile, window_s: float = WINDOW_S, bands: int = BANDS
) -> Occlusion:
    """Hide each window and each band of a recording in turn, and predict what is left.

    ``window_s`` : seconds per window. ``bands`` : bands side by side from 0 Hz to half of the lowest sample
    rate of the models, of equal width on the mel scale. Windows and bands overlap by half. Of several models,
    the results are averaged. Raises :class:`UsageError` for other sizes, and what :meth:`Predictor.predict`
    raises.
    """
    require_sizes(window_s, bands)
    ensemble = model if isinstance(model, Ensemble) else None
    predictors = ensemble.predictors if ensemble is not None else (model,)
    shares = np.array(ensemble.shares if ensemble is not None else (1,), dtype=np.float64)
    clips = [_Clip.of(predictor, file) for predictor in predictors if isinstance(predictor, Predictor)]
    longest = max(clips, key=lambda clip: len(clip.samples) / clip.rate)
    start_s, stop_s = min(clip.start_s for clip in clips), max(clip.stop_s for clip in clips)
    top_hz = min(clip.rate for clip in clips) / 2
    parts = HiddenParts.slide(start_s, stop_s, window_s, bands, top_hz)

    def mean(results: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.asarray(
            sum(share * each for share, each in zip(shares, results, strict=True)) / shares.sum()
        )

    whole = mean([clip.results([lambda samples: samples])[0] for clip in clips])
    by_window = mean([clip.without_windows(parts.windows) for clip in clips])
    by_band = mean([clip.without_bands(parts.bands) for clip in clips])
    outputs = model.dimensions or model.emotions
    return Occlusion(
        outputs=outputs,
        is_regression=bool(model.dimensions),
        whole=whole,
        parts=parts,
        by_window=whole - by_window,
        by_band=whole - by_band,
        samples=longest.samples,
        rate=longest.rate,
        start_s=longest.start_s,
        unheard_s=max(clip.unheard_s for clip in clips),
    )


@dataclass(frozen=True, eq=False)
class _Clip:
    """What one predictor hears of a recording: prepared samples, cut to its window."""

    predictor: Predictor
    samples: Waveform
    rate: int
    start_s: float
    unheard_s: float

    @classmethod
    def of(cls, predictor: Predictor, file: RecordingFile) -> _Clip:
        """Decode, trim and scale a recording as :meth:`Predictor.predict` does."""
        audio = predictor.spec.audio
        require_short(file, audio.max_duration_s)
        whole = audio.model_copy(update={"trim_db": None, "normalise": "none"})
        try:
            with opened(file) as source:
                found = decode_sound(source, whole).samples
        except UnusableRecordingError as error:
            if error.setting == "audio.max_duration_s" and error.duration_s is not None:
                raise TooLongError(error.duration_s, audio.max_duration_s) from error
            raise error.without_setting() from error
        start = 0 if audio.trim_db is None else trim_bounds(found, audio.trim_db)[0]
        samples = prepare(found, audio)
        heard = samples[: predictor.spec.length]
        rate = audio.sample_rate
        return cls(predictor, heard, rate, start / rate, (len(samples) - len(heard)) / rate)

    @property
    def stop_s(self) -> float:
        return self.start_s + len(self.samples) / self.rate

    def without_windows(self, windows: Sequence[Span]) -> NDArray[np.float64]:
        """Results (windows, outputs) with each window silent."""
        own = [(first - self.start_s, last - self.start_s) for first, last in windows]
        return self.results([partial(silence, rate=self.rate, window=window) for window in own])

    def without_bands(self, bands: Sequence[Span]) -> NDArray[np.float64]:
        """Results (bands, outputs) without each band."""
        return self.results([partial(remove_band, rate=self.rate, band=band) for band in bands])

    def results(self, changes: Sequence[Callable[[Waveform], Waveform]]) -> NDArray[np.float64]:
        """Results (changes, outputs) for the changed samples, which are made batch by batch."""
        span = (0.0, len(self.samples) / self.rate)
        found = self.predictor.predict_parts((span, change(self.samples)) for change in changes)
        return np.stack([_known(each.results) for each in found])


def _known(results: NDArray[np.float64] | None) -> NDArray[np.float64]:
    if results is None:
        raise TypeError("a sound that is not silent has a result")
    return results
