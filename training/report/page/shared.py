"""What the page of a run and the page of a series both show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.recipe import Recipe
from schemas.recipe_toml import recipe_toml
from training.metrics.scores import Evaluation
from training.report.page import pictures, results
from training.report.page.commands import Again, afterwards
from training.report.page.request_again import as_asked, differences
from training.report.wording import AVERAGES, calibration_sentence, interval_note, speaker_spread, warning
from training.runs.run import RunRecord
from training.splits.claim import Claim


def shared_values(
    *,
    subject: str,
    claim: Claim,
    created: str,
    record: RunRecord,
    recipe: Recipe,
    evaluation: Evaluation,
    genders: Mapping[str, str],
    commands: Again,
    curves: bool,
    series: bool,
) -> dict[str, Any]:
    """Values of the templates: a tested ``evaluation``, and where it came from.

    ``record`` is that of the run, or of a series' first fold; ``genders`` maps speakers to genders;
    ``commands`` are those that give the same again; ``curves`` tells whether there are any.
    """
    emotion, sets = evaluation.emotion, results.sets_of(evaluation, recipe.labels.target)
    return {
        "subject": capital(subject),
        "title": claim.title,
        "created": created,
        "version": record.versions.get("ser-features", "unknown"),
        "warning": warning(claim),
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
        "calibration": capital(calibration_sentence(emotion)),
        "recipe": recipe,
        "differences": differences(as_asked(recipe, record.store_spec)),
        "recipe_toml": recipe_toml(recipe),
        "commands": commands,
        "afterwards": afterwards(commands.store, curves=curves, series=series),
        "provenance": _provenance(record, recipe),
    }


def capital(sentence: str) -> str:
    """``sentence`` with a large first letter."""
    return sentence[:1].upper() + sentence[1:]


def _provenance(record: RunRecord, recipe: Recipe) -> list[tuple[str, str]]:
    """What a result was computed from, and by what."""
    spec = record.store_spec
    return [
        ("begun", record.created),
        ("store", record.store_digest),
        ("its place", record.store or "not kept: it was given as an absolute path or a URL"),
        ("its specification", spec.digest),
        ("recordings", f"{spec.length / spec.audio.sample_rate:.3g} s at {spec.audio.sample_rate:,} Hz"),
        ("features", ", ".join(f"{name} ({spec.coefficients[name]})" for name in record.features)),
        ("views", _views(spec.view_names, recipe.train.views or (0,))),
        ("seed", str(record.seed)),
        ("computed on", f"{record.device}, {record.threads} CPU thread{'' if record.threads == 1 else 's'}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
    ]


def _views(names: tuple[str, ...], trained: Iterable[int]) -> str:
    read = ", ".join(names[view] if view < len(names) else str(view) for view in trained)
    return f"{read}, of {len(names)} in the store"
