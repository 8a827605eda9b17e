"""How a demo voice speaks a sentence: the cast, the sentences, and the plan of one clip.

All values are drawn from counter-based generators keyed by the name of the speaker or clip, so that a plan
does not depend on the other clips. The parameters are in the range that surveys of vocal emotion report
(Scherer 2003, doi 10.1016/S0167-6393(02)00084-5; Juslin & Laukka 2003): anger and joy raise pitch, range,
level and high frequencies, sadness lowers them, fear raises pitch with tremor.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.labels import Emotion, Gender

FRAME_S = 0.01
"""Step between the values of a track, in seconds."""

REPETITIONS = (1, 2)

SENTENCES = {
    "s1": ("ba", "nI", "to", "kE", "su"),
    "s2": ("mo", "dA", "si", "na", "gU", "te"),
    "s3": ("ki", "lO", "fa", "ne", "ba", "dE", "mu"),
}
"""Nonsense sentences as syllables of an onset and a vowel; an upper-case vowel is stressed."""

_VOWELS = {
    "a": (730.0, 1200.0, 2500.0),
    "e": (530.0, 1840.0, 2500.0),
    "i": (290.0, 2250.0, 2950.0),
    "o": (560.0, 880.0, 2400.0),
    "u": (320.0, 900.0, 2250.0),
}
_HIGH_FORMANTS = (3500.0, 4500.0)
_STOPS, _FRICATIVES = "bdgkt", "sf"
_NASAL = (260.0, 1300.0, 2300.0)
_BURST_HZ = {"b": 900.0, "d": 2800.0, "g": 1900.0, "k": 2000.0, "t": 3600.0, "s": 5800.0, "f": 4200.0}


@dataclass(frozen=True)
class Style:
    """Changes of a voice by an emotion. Zero means no change; styles add up."""

    pitch: float = 0.0
    """Semitones above the speaker's own pitch."""
    span: float = 0.0
    """Natural logarithm of the factor on the pitch accents."""
    rate: float = 0.0
    """Natural logarithm of the factor on the syllable rate."""
    level: float = 0.0
    """dB."""
    bright: float = 0.0
    """Brightness: positive values reduce the spectral tilt; 1 is the range between voices."""
    breath: float = 0.0
    """Aspiration; 1 doubles it."""
    tremor: float = 0.0
    """Depth of a 5–7 Hz tremor, in semitones."""
    rough: float = 0.0
    """Jitter and shimmer; 1 doubles them."""
    ending: float = 0.0
    """Semitones by which the last syllable moves."""
    spread: float = 0.0
    """Natural logarithm of the factor on the formants: spread or rounded lips."""

    def vector(self) -> NDArray[np.float64]:
        """The ten numbers in the order of the fields."""
        return np.array(astuple(self))


_STYLES = {
    Emotion.NEUTRAL: Style(ending=-1.5),
    Emotion.HAPPY: Style(2.6, 0.40, 0.06, 2.5, 0.35, 0.0, 0.0, 0.0, 0.8, 0.045),
    Emotion.SAD: Style(-0.9, -0.45, -0.20, -4.0, -0.50, 0.7, 0.12, 0.1, -2.2, -0.020),
    Emotion.ANGRY: Style(1.9, 0.30, 0.11, 4.8, 0.75, -0.4, 0.0, 0.8, -3.0, 0.015),
    Emotion.FEARFUL: Style(3.2, -0.15, 0.17, -0.5, 0.05, 0.5, 0.45, 0.4, 0.2, 0.010),
    Emotion.DISGUST: Style(-1.0, 0.05, -0.16, 0.3, -0.10, 0.1, 0.0, 0.9, -2.8, -0.050),
    Emotion.SURPRISED: Style(3.6, 0.55, -0.03, 1.2, 0.15, 0.3, 0.0, 0.0, 4.5, 0.015),
}
_SCALE = Style(1.1, 0.20, 0.08, 1.8, 0.28, 0.35, 0.13, 0.30, 1.6, 0.020).vector()
"""Standard deviation of the expression of an emotion between speakers and clips."""
_OF_SPEAKER, _OF_CLIP = 0.4, 0.58
"""Deviations between speakers and between clips, in units of ``_SCALE``."""


@dataclass(frozen=True)
class Voice:
    """A synthetic speaker: a voice and its expression of emotions."""

    name: str
    gender: Gender
    f0_hz: float
    tract: float
    """Factor on the formants of an average male vocal tract."""
    rate_hz: float
    """Syllables per second."""
    level_db: float
    bright: float
    breath: float
    expressiveness: float


@dataclass(frozen=True)
class VoicePlan:
    """Sound of one clip; the tracks have one value per :data:`FRAME_S`."""

    stem: str
    f0_hz: NDArray[np.float64]
    formants_hz: NDArray[np.float64]
    """(frames, 5)."""
    voicing: NDArray[np.float64]
    """Amplitude of the voice, 0…1."""
    noise: NDArray[np.float64]
    """Amplitude of bursts and fricatives, 0…1."""
    noise_hz: NDArray[np.float64]
    level_db: float
    """RMS of the clip re full scale, before peaks are limited."""
    floor_db: float
    """RMS of the background re full scale."""
    bright: float
    breath: float
    rough: float

    @property
    def duration_s(self) -> float:
        """Length of the clip."""
        return len(self.f0_hz) * FRAME_S


def generator(name: str) -> np.random.Generator:
    """Random number generator keyed by ``name``."""
    key = hashlib.blake2b(f"demo/{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def cast() -> tuple[Voice, ...]:
    """The 16 speakers: ``f01`` … ``f08``, ``m01`` … ``m08``."""
    return tuple(
        _speaker(gender, number) for gender in (Gender.FEMALE, Gender.MALE) for number in range(1, 9)
    )


def stem_of(speaker: Voice, sentence: str, emotion: Emotion, repetition: int) -> str:
    """Name of a clip: ``f01_s1_happy_2``."""
    return f"{speaker.name}_{sentence}_{emotion}_{repetition}"


def plan_clip(speaker: Voice, sentence: str, emotion: Emotion, repetition: int) -> VoicePlan:
    """Plan one clip; equal arguments give equal plans."""
    stem = stem_of(speaker, sentence, emotion, repetition)
    random = generator(stem)
    habit = generator(f"{speaker.name}_{emotion}").normal(size=_SCALE.size)
    vector = speaker.expressiveness * _STYLES[emotion].vector()
    vector += _SCALE * (_OF_SPEAKER * habit + _OF_CLIP * random.normal(size=_SCALE.size))
    style = Style(*vector.tolist())
    tracks = _Tracks(speaker, SENTENCES[sentence], style, random)
    return VoicePlan(
        stem=stem,
        f0_hz=tracks.f0(),
        formants_hz=tracks.formants(),
        voicing=tracks.voicing,
        noise=tracks.noise,
        noise_hz=tracks.noise_hz,
        level_db=float(np.clip(-26.0 + speaker.level_db + style.level, -38.0, -15.0)),
        floor_db=float(random.uniform(-68, -58)),
        bright=speaker.bright + style.bright,
        breath=speaker.breath * float(np.exp2(np.clip(style.breath, -2, 2))),
        rough=float(np.exp2(np.clip(style.rough, -2, 2))),
    )


def _speaker(gender: Gender, number: int) -> Voice:
    name = f"{gender.value[0]}{number:02d}"
    random = generator(name)
    female = gender is Gender.FEMALE
    return Voice(
        name=name,
        gender=gender,
        f0_hz=(205.0 if female else 116.0) * float(np.exp2(random.uniform(-2.2, 2.2) / 12)),
        tract=(1.16 if female else 1.0) * float(random.uniform(0.95, 1.05)),
        rate_hz=float(random.uniform(4.2, 5.0)),
        level_db=float(random.uniform(-2.0, 2.0)),
        bright=float(random.normal(0.0, 0.15)),
        breath=float(random.uniform(0.03, 0.06)) * (1.3 if female else 1.0),
        expressiveness=float(random.uniform(0.75, 1.2)),
    )


class _Tracks:
    """Tracks of a sentence, built syllable by syllable."""

    def __init__(
        self, speaker: Voice, syllables: tuple[str, ...], style: Style, random: np.random.Generator
    ) -> None:
        self.speaker, self.syllables, self.style, self.random = speaker, syllables, style, random
        lengths = self._lengths()
        lead, tail = random.uniform(0.06, 0.14, size=2)
        self.starts = lead + np.concatenate([[0.0], np.cumsum(lengths)])
        self.time = np.arange(round((self.starts[-1] + tail) / FRAME_S)) * FRAME_S
        self.voicing = np.zeros_like(self.time)
        self.noise = np.zeros_like(self.time)
        self.noise_hz = np.full_like(self.time, 3000.0)
        self.knots: list[tuple[float, tuple[float, ...]]] = []
        for index, syllable in enumerate(syllables):
            self._lay(syllable, self.starts[index], self.starts[index + 1])

    def f0(self) -> NDArray[np.float64]:
        """Pitch in Hz: declination, an accent per stressed syllable, the ending, tremor and drift."""
        begin, end = self.starts[0], self.starts[-1]
        along = np.clip((self.time - begin) / (end - begin), 0, 1)
        semitones = self.style.pitch + 1.5 * (0.5 - along)
        span = float(np.exp(np.clip(self.style.span, -1.2, 1.2)))
        for index, syllable in enumerate(self.syllables):
            height = 3.2 if syllable[1].isupper() else 0.8
            centre = 0.45 * self.starts[index] + 0.55 * self.starts[index + 1]
            semitones += span * height * np.exp(-0.5 * ((self.time - centre) / 0.08) ** 2)
        last = np.clip((self.time - self.starts[-2]) / (end - self.starts[-2]), 0, 1)
        semitones += self.style.ending * last
        rate, phase = self.random.uniform(5, 7), self.random.uniform(0, 2 * np.pi)
        semitones += max(self.style.tremor, 0.0) * np.sin(2 * np.pi * rate * self.time + phase)
        knots = np.linspace(0, self.time[-1], 8)
        semitones += np.interp(self.time, knots, self.random.normal(0, 0.3, size=knots.size))
        hertz: NDArray[np.float64] = np.clip(self.speaker.f0_hz * np.exp2(semitones / 12), 65.0, 480.0)
        return hertz

    def formants(self) -> NDArray[np.float64]:
        """Formants in Hz, moving between the targets of the syllables."""
        when = [time for time, _ in self.knots]
        factor = self.speaker.tract * float(np.exp(np.clip(self.style.spread, -0.15, 0.15)))
        tracks = [
            factor * np.interp(self.time, when, [target[i] for _, target in self.knots]) for i in range(3)
        ]
        tracks += [np.full_like(self.time, factor * hz) for hz in _HIGH_FORMANTS]
        hertz: NDArray[np.float64] = np.minimum(np.stack(tracks, axis=1), 7200.0)
        return hertz

    def _lengths(self) -> NDArray[np.float64]:
        """Durations of the syllables in seconds; stressed and final ones are longer."""
        rate = self.speaker.rate_hz * float(np.exp(np.clip(self.style.rate, -0.4, 0.4)))
        weights: NDArray[np.float64] = np.array(
            [1.25 if syllable[1].isupper() else 0.95 for syllable in self.syllables]
        )
        weights[-1] *= 1.3
        weights *= np.exp(self.random.normal(0, 0.06, size=weights.size))
        total = min(max(float(weights.sum()) / rate, 1.05), 2.2)
        return weights * (total / float(weights.sum()))

    def _lay(self, syllable: str, start: float, end: float) -> None:
        """Write one syllable into the tracks: onset first, then the vowel."""
        onset, vowel = syllable[0], syllable[1].lower()
        onset_s = min(0.35 * (end - start), 0.085)
        open_at = start + onset_s
        target = _VOWELS[vowel]
        loud = 1.0 if syllable[1].isupper() else 0.8
        during = (self.time >= start) & (self.time < open_at)
        if onset in _STOPS:
            burst = (self.time >= open_at - 0.02) & (self.time < open_at + 0.005)
            self.noise[burst], self.noise_hz[burst] = 0.5, _BURST_HZ[onset]
        elif onset in _FRICATIVES:
            self.noise[during], self.noise_hz[during] = 0.45, _BURST_HZ[onset]
        else:
            self.voicing[during] = 0.45
            self.knots.append((start + 0.5 * onset_s, _NASAL))
        inside = (self.time >= open_at) & (self.time < end)
        along = (self.time[inside] - open_at) / (end - open_at)
        self.voicing[inside] = (
            loud * np.minimum(1.0, 6 * along + 0.2) * np.minimum(1.0, 3.5 * (1 - along) + 0.15)
        )
        self.knots.append((open_at + 0.3 * (end - open_at), target))
        self.knots.append((open_at + 0.8 * (end - open_at), target))
