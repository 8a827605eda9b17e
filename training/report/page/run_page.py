"""The page of one run, ``report.html``."""

from __future__ import annotations

from featurestore.page.render import render
from training.report.model_card import audit_sentences, how_trained, input_of, weights_of
from training.report.page import pictures, results, split_facts
from training.report.page.commands import commands_of
from training.report.page.shared import shared_values
from training.report.recipe_prose import BEST_BY, model_prose
from training.report.result import RunResult
from training.report.sentences import sentence_note
from training.report.text import size_of_test
from training.report.wording import capitalise, layer_sentence, ua_with_interval
from training.splits.side import SIDES


def run_page(result: RunResult) -> str:
    """HTML of a run's ``report.html``; the same bytes for equal runs, except for their start time."""
    record, recipe, emotion = result.record, result.record.recipe, result.test.emotion
    known, split = result.predictions, result.split
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
        "run.html",
        headline=ua_with_interval(emotion),
        tested=f"{size_of_test(emotion, result.claim)}; {weights_of(result)}",
        notices=result.notices,
        facts_of_run=(*results.rate_facts(emotion), *_facts(result)),
        curves=pictures.curves(result.history, BEST_BY[recipe.train.monitor]) if result.history else (),
        ending=capitalise(result.ending),
        validation=results.sets_of(result.validation, recipe.labels.target),
        validation_note=_validation_note(result),
        sides=split_facts.side_rows(result),
        speakers=[(side, ", ".join(result.speakers[side])) for side in SIDES if side in result.speakers],
        audit_text=audit_sentences(result).replace("`", ""),
        sentences=sentence_note([result.audit.sentences], result.claim),
        checks=result.audit.checks,
        split_facts=split_facts,
        model=_model(result),
        how=how_trained(result).splitlines(),
        **shared_values(
            subject=result.subject,
            claim=result.claim,
            created=record.created,
            record=record,
            recipe=recipe,
            evaluation=result.test,
            temperatures=[result.temperature],
            genders={} if known is None else results.genders_of(known.speaker, known.gender),
            commands=commands,
            curves=bool(result.history),
            series=False,
        ),
    )


def _facts(result: RunResult) -> results.Facts:
    epochs = len(result.history)
    best = "no epochs" if result.best_epoch is None else f"{result.best_epoch} of {epochs}"
    counted = "not counted" if result.parameters is None else f"{result.parameters:,}"
    return (("parameters", counted), ("epoch of the weights", best))


def _validation_note(result: RunResult) -> str:
    if result.best_epoch is None:
        return "Validation clips; they were not used to choose anything."
    return "Validation clips; they were used to choose the epoch, so this is not an estimate of accuracy."


def _model(result: RunResult) -> list[tuple[str, str]]:
    record, recipe = result.record, result.record.recipe
    return [
        ("model", f"{recipe.model.name}: {model_prose(recipe.model)}"),
        *(
            (f"layers of {shares.feature}", capitalise(layer_sentence(shares)))
            for shares in result.layer_shares
        ),
        ("classes", f"{len(record.classes)}: {', '.join(name.replace('_', ' ') for name in record.classes)}"),
        ("label set", f"{recipe.labels.set}, target {recipe.labels.target}"),
        ("input", input_of(recipe).replace("`", "")),
        ("clips", recipe.where or "all with a class"),
        (
            "corpora of the recipe",
            ", ".join(recipe.datasets) if recipe.datasets else "all in the store",
        ),
    ]
