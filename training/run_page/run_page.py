"""The page of one run: from a finished training to HTML."""

from __future__ import annotations

from collections.abc import Iterable

from featurestore.page.render import render
from schemas.recipe import Recipe
from schemas.recipe_toml import recipe_toml
from training.model_card import audited, how_trained, input_of, sentences_heard, weights_of
from training.recipe_prose import BEST_BY, model_prose
from training.report import tested_on
from training.result import RunResult
from training.run import RunRecord
from training.run_page import pictures, results, split_facts
from training.run_page.commands import afterwards, again
from training.run_page.request_again import as_asked, differences
from training.samples import SIDES
from training.wording import (
    AVERAGES,
    calibration_sentence,
    interval_note,
    speaker_spread,
    ua_with_interval,
    warning,
)


def run_page(result: RunResult) -> str:
    """HTML of a run's ``report.html``; the same bytes for equal runs but for the time of their beginning."""
    record, recipe, emotion = result.record, result.record.recipe, result.test.emotion
    sets = results.sets_of(result.test, recipe.labels.target)
    known = result.predictions
    genders = {} if known is None else results.genders_of(known.speaker, known.gender)
    split = result.split
    drawn = split is None or (
        (split.protocol, split.seed, split.store_digest)
        == (recipe.split.protocol, record.seed, record.store_digest)
    )
    commands = again(
        record,
        sorted({name for names in result.corpora.values() for name in names}),
        fold=split.fold.index if split is not None and split.fold is not None else None,
        drawn=drawn,
    )
    return render(
        "training.run_page",
        "run.html",
        subject=capital(result.subject),
        title=result.title,
        created=record.created,
        version=record.versions.get("ser-features", "unknown"),
        warning=warning(result.title),
        headline=ua_with_interval(emotion),
        tested=f"{tested_on(emotion, result.title)}; {weights_of(result)}",
        notices=result.notices,
        facts_of_run=(*results.rate_facts(emotion), *_facts(result)),
        chance=results.chance_sentence(emotion),
        sets=sets,
        interval_note=interval_note(emotion),
        averages=AVERAGES,
        results=results,
        confusion_matrices=[(name, scores, pictures.confusion(name, scores)) for name, scores in sets],
        by_speaker=pictures.by_speaker(emotion, genders),
        speaker_spread=speaker_spread(emotion),
        genders=genders,
        calibrations=[pictures.reliability(name, scores) for name, scores in sets],
        calibration=capital(calibration_sentence(emotion)),
        curves=pictures.curves(result.history, BEST_BY[recipe.train.monitor]) if result.history else (),
        ending=capital(result.ending),
        validation=results.sets_of(result.validation, recipe.labels.target),
        validation_worth=_validation_worth(result),
        sides=split_facts.side_rows(result),
        speakers=[(side, ", ".join(result.speakers[side])) for side in SIDES if side in result.speakers],
        audited_words=audited(result).replace("`", ""),
        sentences_heard=sentences_heard(result.audit),
        checks=result.audit.checks,
        split_facts=split_facts,
        model=_model(result),
        how=how_trained(result).splitlines(),
        recipe=recipe,
        differences=differences(as_asked(recipe, record.store_spec)),
        recipe_toml=recipe_toml(recipe),
        commands=commands,
        afterwards=afterwards(commands.store, curves=bool(result.history), series=False),
        provenance=provenance(record, recipe),
    )


def provenance(record: RunRecord, recipe: Recipe) -> list[tuple[str, str]]:
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


def capital(sentence: str) -> str:
    """``sentence`` with a large first letter."""
    return sentence[:1].upper() + sentence[1:]


def _views(names: tuple[str, ...], trained: Iterable[int]) -> str:
    read = ", ".join(names[view] if view < len(names) else str(view) for view in trained)
    return f"{read}, of {len(names)} in the store"


def _facts(result: RunResult) -> results.Facts:
    epochs = len(result.history)
    best = "no epochs" if result.best_epoch is None else f"{result.best_epoch} of {epochs}"
    counted = "not counted" if result.parameters is None else f"{result.parameters:,}"
    return (("parameters", counted), ("epoch of the weights", best))


def _validation_worth(result: RunResult) -> str:
    if result.best_epoch is None:
        return "Validation: of clips that nothing was chosen by."
    return "Validation: of the clips that chose the epoch, and so no estimate of what to expect."


def _model(result: RunResult) -> list[tuple[str, str]]:
    record, recipe = result.record, result.record.recipe
    return [
        ("model", f"{recipe.model.name}: {model_prose(recipe.model)}"),
        ("classes", f"{len(record.classes)}: {', '.join(name.replace('_', ' ') for name in record.classes)}"),
        ("label set", f"{recipe.labels.set}, target {recipe.labels.target}"),
        ("input", input_of(recipe).replace("`", "")),
        ("clips", recipe.where or "all that have a class"),
        (
            "corpora of the recipe",
            ", ".join(recipe.datasets) if recipe.datasets else "all that the store holds",
        ),
    ]
