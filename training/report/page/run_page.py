"""The page of one run, ``report.html``."""

from __future__ import annotations

from typing import Any

from featurestore.page.render import render
from training.metrics.dimensions import DimensionEvaluation
from training.metrics.scores import Evaluation
from training.metrics.value_predictions import ValuePredictions
from training.report.dimensions.text import score_rows
from training.report.dimensions.wording import ccc_with_interval
from training.report.model_card import audit_sentences, how_trained, input_of, validation_note, weights_of
from training.report.page import pictures, results, split_facts
from training.report.page.class_values import class_values
from training.report.page.commands import commands_of
from training.report.page.dimension_values import agreement_facts, dimension_values
from training.report.page.explanation_values import explanation_part
from training.report.page.shared import shared_values
from training.report.recipe_prose import BEST_BY, model_prose
from training.report.result import RunResult
from training.report.sentences import sentence_note
from training.report.text import size_of_test
from training.report.wording import capitalise, layer_sentence, tested_clips, ua_with_interval
from training.runs.run import RunRecord
from training.splits.side import SIDES


def run_page(result: RunResult) -> str:
    """HTML of a run's ``report.html``; the same bytes for equal runs, except for their start time."""
    record, recipe, split = result.record, result.record.recipe, result.split
    drawn = split is None or (
        (split.protocol, split.seed, split.store_digest)
        == (recipe.split.protocol, record.seed, record.store_digest)
    )
    commands = commands_of(
        record,
        sorted({name for names in result.corpora.values() for name in names}),
        fold=split.fold.index if split is not None and split.fold is not None else None,
        drawn=drawn,
    )
    return render(
        "training.report.page",
        "dimension_run.html" if record.dimensions else "run.html",
        notices=result.notices,
        curves=pictures.curves(result.history, BEST_BY[recipe.train.monitor]) if result.history else (),
        ending=capitalise(result.ending),
        validation_note=validation_note(result),
        sides=split_facts.side_rows(result),
        speakers=[(side, ", ".join(result.speakers[side])) for side in SIDES if side in result.speakers],
        audit_text=audit_sentences(result).replace("`", ""),
        sentences=sentence_note([result.audit.sentences], result.claim),
        checks=result.audit.checks,
        split_facts=split_facts,
        model=_model(result),
        how=how_trained(result).splitlines(),
        explained=None if result.explanation is None else explanation_part(result.explanation),
        **shared_values(
            subject=result.subject,
            claim=result.claim,
            created=record.created,
            record=record,
            recipe=recipe,
            commands=commands,
            curves=bool(result.history),
            series=False,
        ),
        **_measured(result),
    )


def _measured(result: RunResult) -> dict[str, Any]:
    """Values of the test and the validation side, of classes or of dimensions."""
    test, validation, known = result.test, result.validation, result.predictions
    genders = {} if known is None else results.genders_of(known.speaker, known.gender)
    weights = weights_of(result)
    if isinstance(test, Evaluation) and isinstance(validation, Evaluation):
        target = result.record.recipe.labels.target
        return {
            "headline": ua_with_interval(test.emotion),
            "tested": f"{size_of_test(test.emotion, result.claim)}; {weights}",
            "facts_of_run": (*results.rate_facts(test.emotion), *_facts(result)),
            "validation": results.sets_of(validation, target),
            **class_values(test, target, [result.temperature], genders),
        }
    if isinstance(test, DimensionEvaluation) and isinstance(validation, DimensionEvaluation):
        values = known if isinstance(known, ValuePredictions) else None
        return {
            "headline": ccc_with_interval(test),
            "tested": f"{tested_clips(test.support, test.speakers, result.claim)}; {weights}",
            "facts_of_run": (*agreement_facts(test), *_facts(result)),
            "validation_rows": score_rows(validation),
            **dimension_values(test, values, genders),
        }
    raise TypeError("test and validation have different metrics")


def _facts(result: RunResult) -> results.Facts:
    epochs = len(result.history)
    best = "no epochs" if result.best_epoch is None else f"{result.best_epoch} of {epochs}"
    counted = "not counted" if result.parameters is None else f"{result.parameters:,}"
    return (("parameters", counted), ("epoch of the weights", best))


def _model(result: RunResult) -> list[tuple[str, str]]:
    record, recipe = result.record, result.record.recipe
    return [
        ("model", f"{recipe.model.name}: {model_prose(recipe.model)}"),
        *(
            (f"layers of {shares.feature}", capitalise(layer_sentence(shares)))
            for shares in result.layer_shares
        ),
        *_labels(record),
        ("input", input_of(recipe).replace("`", "")),
        ("clips", recipe.where or f"all with {'values' if record.dimensions else 'a class'}"),
        (
            "corpora of the recipe",
            ", ".join(recipe.datasets) if recipe.datasets else "all in the store",
        ),
    ]


def _labels(record: RunRecord) -> list[tuple[str, str]]:
    """What the model predicts: classes of a label set, or dimensions."""
    labels = record.recipe.labels
    if record.dimensions:
        return [
            (scale.name, f"training clips: mean {scale.mean:.3g}, standard deviation {scale.deviation:.3g}")
            for scale in record.dimensions
        ]
    names = ", ".join(name.replace("_", " ") for name in record.classes)
    return [
        ("classes", f"{len(record.classes)}: {names}"),
        ("label set", f"{labels.set}, target {labels.target}"),
    ]
