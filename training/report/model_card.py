"""The model card: what a model is, how well it was tested and under which protocol, and its limits."""

from __future__ import annotations

from collections.abc import Sequence

from data.registry import find_corpus
from schemas.architecture import LinearSpec
from schemas.encoders import EncoderSpec
from schemas.features import FeatureSpec
from schemas.imported import ImportedSpec
from schemas.labels import Target
from schemas.labels_spec import LabelsSpec
from schemas.messages.printable import escape_controls
from schemas.recipe import Recipe
from training.metrics.dimensions import DimensionEvaluation
from training.metrics.scores import Evaluation
from training.report.class_card import class_section
from training.report.dimensions.card import dimension_section
from training.report.recipe_prose import BEST_BY, input_prose, model_prose, training_prose
from training.report.result import FITTED, RunResult
from training.report.sentences import sentence_note
from training.report.tables import markdown_table
from training.report.wording import (
    capitalise,
    layer_sentence,
    warning,
)
from training.runs.observer import SideSize
from training.splits.claim import Claim

_LIMITS = """\
- Trained on acted speech recorded in studios: expect lower accuracy on spontaneous speech, other languages,
  other microphones and telephone lines.
{labels}
- Results under different protocols cannot be compared, nor can they be compared with published figures from
  random splits, in which the same speaker is on both sides.
"""


_OF_CLASSES = (
    "- The classes are what actors were asked to portray, not what anyone felt. Do not judge people by the "
    "model."
)
_OF_DIMENSIONS = (
    "- The values are what listeners heard, on the scale of these labels, not what anyone felt. Do not judge "
    "people by the model."
)


def model_card(result: RunResult) -> str:
    """Markdown of a run's ``README.md``."""
    record, recipe = result.record, result.record.recipe
    kind = "regression" if record.dimensions else "classifier"
    left_out = "".join(f"\n- {notice}" for notice in result.notices) + "\n" if result.notices else ""
    return escape_controls(f"""\
# Speech emotion {kind}: {result.subject}

Trained by `ser-train` on {record.device}, {record.created}, ser-features {record.versions["ser-features"]}.

## Result: {result.title}

{_result_section(result)}

## Split

{markdown_table(("side", "clips", "speakers", "samples"), _side_rows(result))}

A sample is a clip in one of its views (the original or an augmented copy){_originals(result.claim)}.
{audit_sentences(result)}
{sentence_note([result.audit.sentences], result.claim)}
{left_out}
## Training

{_sentence(result.ending)} Views: {", ".join(map(str, recipe.train.views or ()))}.
{how_trained(result)}
Seed {record.seed}, CPU threads {record.threads}.

## Model

{_predicts(result)}
{_sentence(model_prose(recipe.model))}{_parameters(result)}{_layers(result)}
Features: {features_of(result)}. Input: {input_of(recipe)}.
Store `{record.store_digest}`.

## Recipe

`{recipe.name}`; the recipe as trained is in `run.json`. {recipe.description or "It has no description"}.

## Corpora

{_corpora(sorted({name for names in result.corpora.values() for name in names}))}

## Limits

{_LIMITS.format(labels=_OF_DIMENSIONS if record.dimensions else _OF_CLASSES)}""")


def _result_section(result: RunResult) -> str:
    """Sizes, figures and tables of the test, of classes or of dimensions."""
    tested = f"; {weights_of(result)}.\n{_caution(result.claim)}"
    note = validation_note(result)
    if isinstance(result.test, Evaluation) and isinstance(result.validation, Evaluation):
        return class_section(result, result.test, result.validation, tested, note)
    if isinstance(result.test, DimensionEvaluation) and isinstance(result.validation, DimensionEvaluation):
        return dimension_section(result, result.test, result.validation, tested, note)
    raise TypeError("test and validation have different metrics")


def _predicts(result: RunResult) -> str:
    """What the model predicts, and how its labels were made of those of the corpora."""
    record, labels = result.record, result.record.recipe.labels
    if record.dimensions:
        scales = "; ".join(
            f"{scale.name} (training clips: mean {scale.mean:.3g}, sd {scale.deviation:.3g})"
            for scale in record.dimensions
        )
        return f"Predicts the values of {scales}, in the units of the labels."
    what = "gender × emotion" if labels.target is Target.GENDER_EMOTION else "emotion"
    return (
        f"Predicts {what} in {len(record.classes)} classes: {', '.join(record.classes)} (label set\n"
        f"`{labels.set}`{_merged(labels)})."
    )


def _merged(labels: LabelsSpec) -> str:
    """Emotions behind each class of a map, to follow the name of the label set; empty if none is renamed."""
    if labels.map is None or all(emotion == kept for emotion, kept in labels.map.items()):
        return ""
    sources = {kept: [e for e, each in labels.map.items() if each == kept] for kept in labels.map.values()}
    return ": " + "; ".join(f"{kept} from {', '.join(emotions)}" for kept, emotions in sources.items())


def _seconds(result: RunResult) -> float:
    """Seconds of a clip that the model hears."""
    spec = result.record.store_spec
    return spec.length / spec.audio.sample_rate


def weights_of(result: RunResult) -> str:
    """Which epoch the weights are from, and how it was chosen."""
    if result.best_epoch is None:
        return "trained without epochs"
    monitor = result.record.recipe.train.monitor
    if monitor == "last":
        return f"weights of epoch {result.best_epoch}, the last"
    best_by = BEST_BY[monitor]
    return f"weights of epoch {result.best_epoch}, which has the {best_by}"


def _caution(claim: Claim) -> str:
    caution = warning(claim)
    return f"\n**Warning.** {_sentence(caution)}\n" if caution else ""


def validation_note(result: RunResult) -> str:
    """What the validation clips were used for."""
    spec = result.record.recipe.model
    if result.record.searched is not None:
        return (
            "The validation clips were used to choose the configuration, so their result is not an estimate "
            "of accuracy. It is by models that were not trained on them. The tested model was trained on "
            "them, too."
        )
    if isinstance(spec, LinearSpec) and spec.chooses:
        return (
            "The validation clips were used to choose settings of the model, which was also fitted on them. "
            "Their result is by models that were not fitted on them."
        )
    if result.best_epoch is None:
        return "The validation clips were not used to choose anything."
    return (
        "The validation clips were used to choose the epoch, so their result is not an estimate of accuracy."
    )


def _side_rows(result: RunResult) -> list[tuple[str, ...]]:
    sizes: list[tuple[str, SideSize]] = [*result.sides.items()]
    if result.fitted is not None:
        sizes.append((FITTED, result.fitted))
    return [(side, str(size.clips), str(size.speakers), str(size.samples)) for side, size in sizes]


def _originals(claim: Claim) -> str:
    return "" if claim.is_leaky else "; validation and test use only originals"


def audit_sentences(result: RunResult) -> str:
    """What the audit proves, and whose clips validation uses."""
    if not result.claim.is_speaker_independent:
        return "`audit.json` lists what the sides share."
    if result.validation_by == "speaker":
        return "`audit.json` proves that no speaker and no recording is on two sides."
    absent = ", in sentences absent from training" if result.validation_by == "sentence" else ""
    return (
        "`audit.json` proves that no test speaker and no recording is on two sides. Validation clips are "
        f"from the training speakers{absent}."
    )


def how_trained(result: RunResult) -> str:
    """Sentences about optimiser, schedule, stopping and other settings."""
    recipe = result.record.recipe
    if isinstance(recipe.model, LinearSpec):
        balanced = recipe.train.class_weights == "balanced"
        weighted = ", classes weighted by their inverse frequency" if balanced else ""
        return f"Solved in one step, without epochs{weighted}."
    return "\n".join(
        _sentence(line) for line in training_prose(recipe.train, searched=result.record.searched is not None)
    )


def features_of(result: RunResult) -> str:
    """The features that the model reads, and how much of a clip they describe."""
    record = result.record
    heard = f"{_seconds(result):.3g} s at {record.store_spec.audio.sample_rate} Hz"
    wanted = {feature.name: feature for feature in record.recipe.complete(record.store_spec).features}
    encoded = any(isinstance(wanted[name], EncoderSpec) for name in record.features)
    described = ("; " if encoded else ", ").join(encoder_prose(wanted[name]) for name in record.features)
    if record.recipe.input.representation == "embedding":
        return f"{described},\nfrom up to {heard}"
    if all(isinstance(wanted[name], ImportedSpec) for name in record.features):
        return f"{described},\nup to {record.store_spec.common_frames(record.features):,} frames"
    return f"{described} from {heard} in\n{record.store_spec.common_frames(record.features)} frames"


def encoder_prose(feature: FeatureSpec) -> str:
    """An encoder feature: its layers, its statistics and its weights. An imported one: its origin."""
    if isinstance(feature, ImportedSpec):
        return f"{feature.name}, imported from {feature.provenance} (SHA-256 `{str(feature.sha256)[:12]}`)"
    if not isinstance(feature, EncoderSpec):
        return feature.name
    layers = ", ".join(map(str, feature.all_layers))
    kinds = " and ".join({"mean": "mean", "std": "deviation"}[name] for name in feature.statistics)
    seen = f"{kinds} over the frames" if kinds else "frames"
    return f"{feature.name}, layers {layers}, {seen} (weights `{str(feature.sha256)[:12]}`)"


def input_of(recipe: Recipe) -> str:
    """How features become the input of the model."""
    if isinstance(recipe.model, LinearSpec):
        within = recipe.input.within
        group = "" if within is None else f", normalised over all clips of the {within}"
        values = "pooled layers" if recipe.input.representation == "embedding" else "functionals"
        if all(isinstance(feature, ImportedSpec) for feature in recipe.features):
            values = "imported numbers"
        return f"{values}{group}, zero mean and unit deviation over the training samples"
    return f"{input_prose(recipe.input)} (`normalisation.safetensors`)"


def _parameters(result: RunResult) -> str:
    return "" if result.parameters is None else f" {result.parameters:,} parameters."


def _layers(result: RunResult) -> str:
    return "".join(f"\n{_sentence(layer_sentence(shares))}" for shares in result.layer_shares)


def _sentence(text: str) -> str:
    return f"{capitalise(text)}."


def _corpora(datasets: Sequence[str]) -> str:
    lines = []
    for name in datasets:
        corpus = find_corpus(name)
        lines.append(
            f"- {corpus.title}: {corpus.licence}"
            if corpus
            else f"- {name}: your own corpus; state its terms here"
        )
    return "\n".join(lines)
