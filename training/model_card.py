"""The model card: what a trained model is, how well it does under which protocol, and what it is not for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from data.registry import CORPORA
from schemas.labels import Target
from training.audit import Audit
from training.metrics import Evaluation
from training.report import summary_rows
from training.run import RunRecord

_LIMITS = """\
- Trained on acted speech recorded in studios: expect less on spontaneous speech, other languages, other
  microphones and telephone lines.
- The classes are what actors were asked to portray, not what anybody felt. Do not judge persons by
  the model.
- A result under one protocol cannot be compared with a result under another, nor with published figures
  from random splits, where the same speaker is on both sides.
"""


def model_card(
    record: RunRecord,
    title: str,
    audit: Audit,
    evaluation: Evaluation,
    datasets: Sequence[str],
    notices: Iterable[str],
    best_epoch: int,
) -> str:
    """Markdown of a run's ``README.md``. ``title`` is :attr:`training.split.Split.title`."""
    recipe = record.recipe
    target = recipe.labels.target
    summary = "\n".join(f"| {' | '.join(row)} |" for row in summary_rows(evaluation, target))
    sides = "\n".join(
        f"| {side} | {audit.clips[side]} | {audit.speakers[side]} | {samples} |"
        for side, samples in audit.samples.items()
    )
    per_class = "\n".join(
        f"| {s.name} | {100 * s.precision:.1f} | {100 * s.recall:.1f} | {100 * s.f1:.1f} | {s.support} |"
        for s in evaluation.own.per_class
    )
    what = "gender × emotion" if target is Target.GENDER_EMOTION else "emotion"
    left_out = "".join(f"\n{notice}.\n" for notice in notices)
    return f"""\
# {recipe.name}, model {recipe.model.name}

{recipe.description or "A speech emotion classifier"}.
Trained {record.created} with seed {record.seed} on {record.device}.

## Result: {title}

| test | UA | WA | macro-F1 |
|---|---:|---:|---:|
{summary}

UA is the unweighted average recall, WA the accuracy. {evaluation.own.support} test clips; weights of epoch
{best_epoch}, the one with the lowest validation loss.

| class | precision % | recall % | F1 % | clips |
|---|---:|---:|---:|---:|
{per_class}

Confusion matrices: `confusion.png`, `confusion-emotion.png`. Per corpus and per gender: `metrics.json`.

## Split

| side | clips | speakers | samples read |
|---|---:|---:|---:|
{sides}

Samples are clips in views (copies that were augmented); validation and test read originals alone.
`audit.json` proves that no speaker and no recording is on two sides, and counts the sentences that are.
{left_out}
## Model

Predicts {what}, {len(record.classes)} classes: {", ".join(record.classes)} (label set `{recipe.labels.set}`).
Features: {", ".join(record.features)}, of {recipe.audio.duration_s:g} s at {recipe.audio.sample_rate} Hz in
{record.store_spec.frames} frames, normalised by `normalisation.safetensors`.
Store `{record.store_digest}`.

## Corpora

{_corpora(datasets)}

## Limits

{_LIMITS}"""


def _corpora(datasets: Sequence[str]) -> str:
    lines = []
    for name in datasets:
        known = CORPORA.get(name)
        lines.append(
            f"- {known.title}: {known.licence}"
            if known
            else f"- {name}: a corpus of your own; its terms are yours to state"
        )
    return "\n".join(lines)
