"""What the pages of a classifier show of its test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.labels import Target
from training.metrics.scores import Evaluation
from training.metrics.temperature import TemperatureEffect
from training.report.page import pictures, results
from training.report.temperature import temperature_sentences
from training.report.wording import (
    AVERAGES,
    calibration_sentence,
    capitalise,
    interval_note,
    speaker_spread,
)


def class_values(
    evaluation: Evaluation,
    target: Target,
    temperatures: Sequence[TemperatureEffect | None],
    genders: Mapping[str, str],
) -> dict[str, Any]:
    """Values for the templates of a run and of a series of a classifier.

    ``temperatures`` are of the run, or of its folds; ``genders`` maps speakers to genders.
    """
    emotion, sets = evaluation.emotion, results.sets_of(evaluation, target)
    return {
        "chance": results.chance_sentence(emotion),
        "sets": sets,
        "interval_note": interval_note(emotion),
        "averages": AVERAGES,
        "results": results,
        "confusion_matrices": [(name, scores, pictures.confusion(name, scores)) for name, scores in sets],
        "by_speaker": pictures.by_speaker(emotion, genders),
        "speaker_spread": speaker_spread(emotion),
        "genders": genders,
        "calibrations": [pictures.reliability(name, scores) for name, scores in sets],
        "calibration": [
            capitalise(clause)
            for clause in (calibration_sentence(emotion), *temperature_sentences(temperatures))
        ],
    }
