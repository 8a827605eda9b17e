from __future__ import annotations

import io

import matplotlib.image as mpimg
import numpy as np
import pytest

from schemas.labels import Target, label_set
from tests.training.claims import claim
from training.metrics.evaluation import evaluate
from training.metrics.predictions import Predictions
from training.metrics.scores import Evaluation
from training.report import comparisons, curves, figures
from training.report.comparisons import folds_png
from training.report.curves import curves_png
from training.report.drawing import encode_png
from training.report.figures import confusion_png, reliability_png
from training.report.summary import FoldResult, summarise
from training.runs.observer import EpochResult


def result(epoch: int, loss: float, ua: float, *, best: bool, rate: float = 1e-3) -> EpochResult:
    return EpochResult(epoch, 2.0 / epoch, loss, ua, ua + 0.01, rate, 1.0, best)


def evaluation(target: Target) -> Evaluation:
    labels = label_set("common7")
    names = labels.class_names(target)
    generator = np.random.default_rng(0)
    true = generator.integers(0, len(names), 90)
    probabilities = 0.5 * generator.dirichlet(np.ones(len(names)), 90) + 0.5 * np.eye(len(names))[true]
    groups = {"corpus": ["tess"] * 90, "gender": ["female"] * 90, "speaker": [f"{i % 4}" for i in range(90)]}
    return evaluate(true, probabilities, labels, target, groups)


def size(png: bytes) -> tuple[int, int]:
    height, width = mpimg.imread(io.BytesIO(png), format="png").shape[:2]
    return width, height


def drawn(monkeypatch: pytest.MonkeyPatch) -> list[figures.Figure]:
    """Figures that are turned into PNG from now on."""
    seen: list[figures.Figure] = []

    def encode(figure: figures.Figure) -> bytes:
        seen.append(figure)
        return encode_png(figure)

    for module in (comparisons, curves, figures):
        monkeypatch.setattr(module, "encode_png", encode)
    return seen


def test_the_epoch_that_was_kept_is_marked_whatever_it_was_chosen_by(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drawn(monkeypatch)
    # Chosen by UA: the last that was best is epoch 3, though epoch 2 has the lowest loss.
    history = [
        result(1, 1.5, 0.2, best=True),
        result(2, 1.0, 0.1, best=False),
        result(3, 1.2, 0.4, best=True),
        result(4, 1.3, 0.3, best=False),
    ]
    curves_png(history, "title", "highest validation UA")
    for axes in seen[0].axes:
        (marked,) = (line for line in axes.lines if line.get_linestyle() == ":")
        assert set(np.asarray(marked.get_xdata())) == {3}
        assert marked.get_label() == "epoch 3, highest validation UA"
    rate = seen[0].axes[2]
    assert np.asarray(rate.lines[0].get_ydata()).tolist() == [1e-3] * 4


def test_curves_are_drawn_of_one_epoch_and_of_a_rate_of_zero() -> None:
    assert size(curves_png([result(1, 1.0, 0.5, best=True)], "t"))[0] > 500
    history = [result(1, 1.0, 0.5, best=True), result(2, 1.1, 0.4, best=False, rate=0.0)]
    assert size(curves_png(history, "t"))[0] > 500


def test_reliability_shows_emotions_and_own_classes_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drawn(monkeypatch)
    both = evaluation(Target.GENDER_EMOTION)
    wide = size(
        reliability_png(both, Target.GENDER_EMOTION, "model A\nspeaker-independent (protocol: speaker)")
    )
    alone = size(reliability_png(evaluation(Target.EMOTION), Target.EMOTION, "model C\nspeaker-independent"))
    assert wide[0] > 1.6 * alone[0]
    titles = [axes.get_title() for axes in seen[0].axes if axes.get_title()]
    assert titles[0].startswith(f"emotion: ECE {100 * both.emotion.calibration.ece:.1f} %")
    assert titles[1].startswith(f"gender × emotion: ECE {100 * both.own.calibration.ece:.1f} %")
    clips = [patch.get_height() for patch in seen[0].axes[2].patches]
    assert sum(clips) == 90


def test_confusion_states_protocol_and_result(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drawn(monkeypatch)
    found = evaluation(Target.EMOTION).emotion
    assert size(confusion_png(found, "model C\nspeaker-independent (protocol: loso, 24 folds)"))[0] > 500
    title = seen[0].axes[0].get_title()
    assert "speaker-independent (protocol: loso, 24 folds)" in title
    assert f"UA {100 * found.ua:.1f} %" in title
    assert "90 clips of 4 speakers" in title


@pytest.mark.parametrize("folds", [1, 6, 91])
def test_folds_are_bars_with_intervals_where_speakers_suffice(
    folds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = drawn(monkeypatch)
    labels, generator = label_set("common6"), np.random.default_rng(0)
    speakers = 1 if folds == 91 else 4

    def fold(number: int) -> FoldResult:
        clips = 5 * speakers
        predictions = Predictions(
            classes=labels.class_names(Target.EMOTION),
            clip_id=tuple(f"cremad/{number}-{i}" for i in range(clips)),
            view=np.zeros(clips, dtype=np.int64),
            dataset=("cremad",) * clips,
            speaker=tuple(f"cremad/{number}-{i % speakers}" for i in range(clips)),
            gender=("male",) * clips,
            true=generator.integers(0, 6, clips),
            probabilities=generator.dirichlet(np.ones(6), clips).astype(np.float32),
        )
        return FoldResult(f"cremad/{1000 + number}", predictions, 1, "x")

    loso = claim(protocol="loso", folds=folds)
    summary = summarise([fold(i) for i in range(folds)], labels, Target.EMOTION, loso, "model C")
    png = folds_png(summary)
    (axes,) = seen[0].axes
    assert [patch.get_height() for patch in axes.patches] == pytest.approx(
        [*(100 * f.evaluation.emotion.ua for f in summary.folds), 100 * summary.pooled.emotion.ua]
    )
    bounded = 1 if folds == 91 else folds + 1
    (bars,) = (c for c in axes.containers if type(c).__name__ == "ErrorbarContainer")
    assert len(bars[2][0].get_segments()) == bounded
    assert loso.title in axes.get_title()
    assert size(png)[0] < 8000
