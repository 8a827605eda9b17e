"""Explanations of models whose answer is known: only pitch, and only the second half, carries the emotion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.explain.tones import HIGH_HZ, LOW_HZ, SECONDS
from training.explain.occlusion import Occlusion, occlude
from training.predict.predictor import Predictor
from training.report.result import RunResult


def test_only_the_feature_that_carries_the_emotion_is_important(explained: RunResult) -> None:
    assert explained.explanation is not None
    importance = explained.explanation.importance
    assert importance.ua > 0.95
    drops = {part.name: part for part in importance.parts}
    assert drops["mel"].drop > 0.3
    assert abs(drops["rms"].drop) < 0.05
    interval = drops["mel"].interval
    assert interval is not None
    assert interval.low > 0.15


def hide(run: RunResult, tones: Path) -> list[Occlusion]:
    predictor = Predictor.open(run.folder.path, "cpu")
    return [occlude(predictor, tones / f"clip-{number:03d}.wav", 0.1, 8) for number in range(6)]


@pytest.fixture(scope="module")
def occlusions(explained: RunResult, tones: Path) -> list[Occlusion]:
    return hide(explained, tones)


def effects_by_half(occlusions: list[Occlusion]) -> tuple[list[float], list[float]]:
    """Effects of the windows within each half, with some distance from the middle."""
    first, second = [], []
    for found in occlusions:
        (output,) = found.shown
        for (start, stop), effect in zip(found.parts.windows, found.by_window[:, output], strict=True):
            if stop < 0.45 * SECONDS:
                first.append(abs(effect))
            elif start >= SECONDS / 2:
                second.append(abs(effect))
    return first, second


def test_hiding_the_half_that_carries_the_emotion_matters_more(occlusions: list[Occlusion]) -> None:
    first, second = effects_by_half(occlusions)
    assert np.mean(second) > 1.5 * np.mean(first)


def test_hiding_what_a_model_cannot_hear_changes_nothing(deaf_at_first: RunResult, tones: Path) -> None:
    first, second = effects_by_half(hide(deaf_at_first, tones))
    assert max(first) < 1e-6
    assert max(second) > 0.5


def test_hiding_the_band_of_the_tone_matters_most(occlusions: list[Occlusion]) -> None:
    for number, found in enumerate(occlusions):
        (output,) = found.shown
        assert found.outputs[output] == ("angry", "sad")[number % 2]
        best = found.parts.bands[int(found.by_band[:, output].argmax())]
        tones = (LOW_HZ, HIGH_HZ)
        assert any(best[0] <= hertz <= best[1] for hertz in tones)


def test_the_run_keeps_the_explanation_and_its_page_shows_it(explained: RunResult) -> None:
    folder = explained.folder.path
    values = json.loads((folder / "explanation.json").read_text())
    assert explained.explanation is not None
    assert values == json.loads(json.dumps(explained.explanation.to_json()))
    hashed = json.loads((folder / "hashes.json").read_text().rpartition("\n}")[0] + "\n}")["files"]
    assert {"explanation.json", "importance.png"} <= {*hashed}
    page = (folder / "report.html").read_text()
    assert "What it listens to" in page
    for part in values["parts"]:
        assert f'<th scope="row">{part["name"]}</th><td>{100 * part["drop"]:.1f}'.replace("-", "−") in page
