"""Explanations of models whose answer is known: only pitch, and only the second half, carries the emotion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from schemas.errors import UsageError
from schemas.overrides import override
from tests import commands
from tests.training.explain.conftest import TINY
from tests.training.explain.tones import HIGH_HZ, LOW_HZ, SECONDS
from training.explain.occlusion import Occlusion, occlude
from training.predict.ensemble import Ensemble
from training.predict.predictor import Predictor
from training.report.result import RunResult
from training.train import require_explainable


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


def test_the_command_writes_a_picture_and_the_effects(
    explained: RunResult, tones: Path, occlusions: list[Occlusion], tmp_path: Path
) -> None:
    run, out = explained.folder.path, tmp_path / "pictures"
    clips = [tones / "clip-000.wav", tones / "clip-001.wav"]
    options = ("--explain", "--hide-seconds", "0.1", "--hide-bands", "8", "--out", out, "--json")
    done = commands.run("ser-predict", run, *clips, *options)
    values = json.loads(done.stdout)["clips"]
    for each, found, name in zip(values, occlusions, ("clip-000", "clip-001"), strict=False):
        picture = out / f"{name}-explained.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
        explanation = each["explanation"]
        assert explanation["picture"] == str(picture)
        for part, effect in zip(explanation["bands"], found.by_band, strict=True):
            assert list(part["effect"].values()) == pytest.approx(effect.tolist(), abs=1e-6)
        assert [part["to_s"] for part in explanation["windows"]] == [stop for _, stop in found.parts.windows]
    again = commands.run("ser-predict", run, *clips, "--explain", "--out", out, status=2)
    assert "clip-000-explained.png exists; remove it" in " ".join(again.stderr.split())


def test_several_runs_have_the_mean_of_their_effects(
    explained: RunResult, deaf_at_first: RunResult, tones: Path
) -> None:
    runs, clip = [explained.folder.path, deaf_at_first.folder.path], tones / "clip-003.wav"
    both = occlude(Ensemble.open(runs, "cpu"), clip)
    each = [occlude(Predictor.open(run, "cpu"), clip) for run in runs]
    np.testing.assert_allclose(both.by_band, (each[0].by_band + each[1].by_band) / 2, atol=1e-9)
    np.testing.assert_allclose(both.by_window, (each[0].by_window + each[1].by_window) / 2, atol=1e-9)
    predicted = Predictor.open(runs[0], "cpu").predict(clip).probabilities
    np.testing.assert_allclose(each[0].whole, predicted, atol=1e-7)


def test_requests_that_have_no_picture_are_a_sentence(
    explained: RunResult, tones: Path, tmp_path: Path
) -> None:
    run, clip = explained.folder.path, tones / "clip-000.wav"

    def refused(*options: object, status: int = 2) -> str:
        done = commands.run("ser-predict", run, clip, *map(str, options), status=status, cwd=tmp_path)
        return " ".join(done.stderr.split())

    assert "--out is for --explain" in refused("--out", tmp_path)
    assert "leave out --window" in refused("--explain", "--window", 0.3)
    assert "leave out --window" in refused("--explain", "--segment", "silero")
    assert "--hide-seconds 0 is out of range; give 0.02 to 10 s" in refused("--explain", "--hide-seconds", 0)
    assert "--hide-bands 65 is out of range" in refused("--explain", "--hide-bands", 65)
    assert "is a file; give a folder" in refused("--explain", "--out", clip)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.random.default_rng(0).normal(0, 0.1, 61 * 8000), 8000)
    done = commands.run("ser-predict", run, long, "--explain", "--out", tmp_path / "out", status=1)
    assert "61 s long, but --explain covers one prediction of at most" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_the_importance_of_a_regression_is_refused() -> None:
    with pytest.raises(UsageError, match=r"labels\.target regression predicts values; leave out --explain"):
        require_explainable(override(TINY, ["labels.target=regression", "model.name=functionals-ridge"]))
