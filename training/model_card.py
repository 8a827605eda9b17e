"""The model card: what a trained model is, how well it does under which protocol, and what it is not for."""

from __future__ import annotations

from collections.abc import Sequence

from data.registry import CORPORA
from schemas.labels import Target
from training.audit import Audit
from training.report import (
    AVERAGES,
    CLASS_HEADER,
    GROUP_HEADER,
    class_rows,
    group_rows,
    summary_rows,
    tested_on,
)
from training.result import RunResult

_LIMITS = """\
- Trained on acted speech recorded in studios: expect less on spontaneous speech, other languages, other
  microphones and telephone lines.
- The classes are what actors were asked to portray, not what anybody felt. Do not judge persons by
  the model.
- A result under one protocol cannot be compared with a result under another, nor with published figures
  from random splits, where the same speaker is on both sides.
"""


def model_card(result: RunResult) -> str:
    """Markdown of a run's ``README.md``."""
    record, recipe, test = result.record, result.record.recipe, result.test
    target, train = recipe.labels.target, recipe.train
    what = "gender × emotion" if target is Target.GENDER_EMOTION else "emotion"
    left_out = "".join(f"\n- {notice}" for notice in result.notices) + "\n" if result.notices else ""
    rate = f"learning rate {train.lr:g} (times {train.lr_factor:g} where validation stands still)"
    return f"""\
# Speech emotion classifier: {result.subject}

Trained {record.created} on {record.device} by `ser-train` of ser-features {record.versions["ser-features"]}.

## Result: {result.title}

{tested_on(test.own)}; weights of epoch {result.best_epoch}, the one with the lowest validation loss.

{_table(("test", "UA", "WA", "macro-F1"), summary_rows(test, target))}

{_table(("test, corpus (emotion)", *GROUP_HEADER), group_rows(test.emotion.by_corpus))}

{_table(("test, gender (emotion)", *GROUP_HEADER), group_rows(test.emotion.by_gender))}

{_table(("validation", "UA", "WA", "macro-F1"), summary_rows(result.validation, target))}

{AVERAGES}
The validation result is of the clips that chose the epoch: it is no estimate of what to expect.

{_table(("class", *CLASS_HEADER), class_rows(test.own))}

{_table(("emotion", *CLASS_HEADER), class_rows(test.emotion))}

Confusion matrices: `confusion.png`, `confusion-emotion.png`. All figures: `metrics.json`.

## Split

{_table(("side", "clips", "speakers", "samples"), _side_rows(result))}

Samples are clips in views (copies that were augmented); validation and test read originals alone.
`audit.json` proves that no speaker and no recording is on two sides.
{_heard(result.audit)}
{left_out}
## Training

{result.ending.capitalize()}. Views {", ".join(map(str, train.views or ()))}.
Adam, {rate},
weight decay {train.weight_decay:g}, batch {train.batch_size}.
Seed {record.seed}, CPU threads {record.threads}.

## Model

Predicts {what}, {len(record.classes)} classes: {", ".join(record.classes)} (label set `{recipe.labels.set}`).
Features: {", ".join(record.features)}, of {recipe.audio.duration_s:g} s at {recipe.audio.sample_rate} Hz in
{record.store_spec.frames} frames, normalised by `normalisation.safetensors`.
Store `{record.store_digest}`.

## Recipe

`{recipe.name}`, as it was run in `run.json`. {recipe.description or "It has no description"}.

## Corpora

{_corpora(sorted({name for names in result.corpora.values() for name in names}))}

## Limits

{_LIMITS}"""


def _side_rows(result: RunResult) -> list[tuple[str, ...]]:
    return [
        (side, str(size.clips), str(size.speakers), str(size.samples)) for side, size in result.sides.items()
    ]


def _heard(audit: Audit) -> str:
    """How far the test repeats what was said in training."""
    known, heard = audit.test_sentences, audit.test_sentences_heard
    if not known:
        return "The corpora do not tell which sentences are spoken."
    if heard == known:
        return "Every test sentence was also heard in training, from other speakers."
    return f"{heard} of {known} test sentences were also heard in training, from other speakers."


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table, the first column aligned left, the others right."""
    lines = [header, ("---", *["---:"] * (len(header) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
