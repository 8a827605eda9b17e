"""A recipe's input, model and training as sentences for model cards. Features that are off are left out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.architecture import (
    CnnBiLstmSpec,
    CnnSpec,
    ConformerSpec,
    FrameHeadSpec,
    LayerMlpSpec,
    LinearSpec,
    MlpSpec,
    ModelSpec,
    TransformerSpec,
)
from schemas.messages.counts import choose_form, format_count
from schemas.training import InputSpec, TrainSpec

BEST_BY: Mapping[str, str] = MappingProxyType(
    {
        "loss": "lowest validation loss",
        "wa": "highest validation WA",
        "ua": "highest validation UA",
        "last": "last",
    }
)
"""What distinguishes the best epoch, by ``train.monitor``."""

_NORMALISED = MappingProxyType(
    {
        "standard": "zero mean and unit deviation of each coefficient over the training clips",
        "minmax": "each coefficient scaled from its range over the training clips to 0 to 1",
        "sample": "zero mean and unit deviation within each sample",
        "speaker": "zero mean and unit deviation of each functional over the clips of each speaker",
        "corpus": "zero mean and unit deviation of each functional over the clips of each corpus",
        "none": "values as stored",
    }
)

_REPRESENTED = MappingProxyType(
    {"frames": "", "functionals": "functionals of the frames, ", "embedding": "pooled layers of encoders, "}
)

_POOLED = MappingProxyType(
    {
        "mean": "mean over the valid steps",
        "attention": "attention over the valid steps",
        "last": "final state of both directions",
    }
)


def input_prose(spec: InputSpec) -> str:
    """How features become the model's input."""
    cut = f", clipped to ±{spec.clip:g}" if spec.clip is not None else ""
    return f"{_REPRESENTED[spec.representation]}{_NORMALISED[spec.normalise]}{cut}"


def model_prose(spec: ModelSpec) -> str:
    """The network, from input to output."""
    match spec:
        case CnnBiLstmSpec():
            units = f"{spec.hidden} {choose_form(spec.hidden, 'unit')} per direction"
            lstm = f"{format_count(spec.layers, 'BiLSTM layer')} of {units}"
            drop = f", dropout {spec.sequence_dropout:g}" if spec.sequence_dropout else ""
            pooled = f"{lstm}{drop}; {_POOLED[spec.pooling]}"
            return f"{_blocks(spec)}; {pooled}; {_dense(spec.dense)}dropout {spec.dropout:g}"
        case CnnSpec():
            return f"{_blocks(spec)}; flattened; {_dense(spec.dense)}dropout {spec.dropout:g}"
        case TransformerSpec() | ConformerSpec():
            return _frame_encoder(spec)
        case MlpSpec():
            return f"dropout {spec.input_dropout:g}; {_dense(spec.hidden)}dropout {spec.dropout:g}"
        case LayerMlpSpec():
            return (
                f"learnt weighted mean of the layers; dropout {spec.input_dropout:g}; "
                f"{_dense(spec.hidden)}dropout {spec.dropout:g}"
            )
        case FrameHeadSpec():
            return _frame_head(spec)
        case LinearSpec():
            described = f"{', '.join(spec.statistics)} of each frame descriptor" if spec.statistics else ""
            return "; ".join(part for part in (described, *_linear(spec)) if part)


def _frame_head(spec: FrameHeadSpec) -> str:
    """The head on frames, from the weighted layers to the output."""
    transformer = f"{_attention_blocks(spec, 'transformer', spec.blocks)}, dropout {spec.block_dropout:g}"
    parts = [
        "learnt weighted mean of the layers",
        f"projected to {spec.width} values per frame, dropout {spec.input_dropout:g}",
        transformer if spec.blocks else "",
        *_pooled_frames(spec),
    ]
    return "; ".join(filter(None, parts))


def _frame_encoder(spec: TransformerSpec | ConformerSpec) -> str:
    """A network with an encoder, from the convolutions to the output."""
    positions = f"relative positions up to {format_count(spec.distance, 'step')}"
    kernel = (
        f", convolutions over {format_count(spec.kernel, 'step')}" if isinstance(spec, ConformerSpec) else ""
    )
    encoder = f"{_attention_blocks(spec, spec.family, spec.encoder_blocks)}, {positions}{kernel}"
    parts = [
        _blocks(spec),
        f"projected to {spec.width} values per step, dropout {spec.input_dropout:g}",
        f"{encoder}, dropout {spec.encoder_dropout:g}",
        *_pooled_frames(spec),
    ]
    return "; ".join(parts)


def _attention_blocks(spec: FrameHeadSpec | TransformerSpec | ConformerSpec, kind: str, blocks: int) -> str:
    heads = format_count(spec.heads, "head")
    return f"{format_count(blocks, f'{kind} block')} with {heads} and {spec.inner} inner units"


def _pooled_frames(spec: FrameHeadSpec | TransformerSpec | ConformerSpec) -> tuple[str, str]:
    """Statistics over the valid frames, and the layers after them."""
    heads = format_count(spec.pooling_heads, "head")
    statistics = "mean and deviation" if spec.pooling.endswith("std") else "mean"
    weighted = f"by attention with {heads}" if spec.pooling.startswith("attention") else "equally"
    return (
        f"{statistics} over the valid frames, weighted {weighted}",
        f"{_dense(spec.dense)}dropout {spec.dropout:g}",
    )


def _linear(spec: LinearSpec) -> list[str]:
    """The classifier or regression, and what validation clips decide about it."""
    if spec.shrinkage == "auto":
        shrinkage = "shrinkage chosen by cross-validation"
    else:
        shrinkage = f"shrinkage {spec.shrinkage:g}"
    classifier = {
        "svm": f"linear SVM, C {spec.c:g}",
        "lda": f"linear discriminant analysis, {shrinkage}",
        "logistic": f"logistic regression, C {spec.c:g}",
        "ridge": f"ridge regression, {shrinkage}",
    }[spec.classifier]
    return [
        classifier,
        "temperature fitted by cross-validation" if spec.calibration == "temperature" else "",
        "cross-validated over the training and validation speakers (sentences if there is one), fitted on all"
        if spec.chooses
        else "",
    ]


def training_prose(spec: TrainSpec, *, searched: bool = False) -> list[str]:
    """One line each for optimiser and stopping, and one for the other features in use.

    ``searched``: a search chose the recipe, so the validation clips are trained on.
    """
    name = {"adam": "Adam", "adamw": "AdamW"}[spec.optimiser]
    decay = "L2 penalty" if spec.optimiser == "adam" else "decoupled weight decay"
    step = f"{decay} {spec.weight_decay:g}, batch {spec.batch_size}"
    limit = f"{spec.epochs} {choose_form(spec.epochs, 'epoch')}"
    if spec.patience is not None:
        limit = f"at most {limit}, stopped after {spec.patience} without improvement"
    kept = "last epoch" if spec.monitor == "last" else f"epoch with the {BEST_BY[spec.monitor]}"
    lines = [
        f"{name}, learning rate {spec.lr:g} {_schedule(spec, searched=searched)}, {step}",
        f"Kept: the {kept}; {limit}",
    ]
    used = [
        "every clip once per epoch, in a random view" if spec.view_sampling == "one" else "",
        "classes weighted by their inverse frequency" if spec.class_weights == "balanced" else "",
        f"label smoothing {spec.label_smoothing:g}" if spec.label_smoothing else "",
        f"mixup, alpha {spec.mixup:g}" if spec.mixup else "",
        _masks(spec),
        f"gradients clipped to a norm of {spec.gradient_clip:g}" if spec.gradient_clip is not None else "",
        f"moving average of the weights, decay {spec.average:g}" if spec.average is not None else "",
        "matrix products in bfloat16" if spec.precision == "bf16" else "",
    ]
    if chosen := "; ".join(text for text in used if text):
        lines.append(f"{chosen[0].upper()}{chosen[1:]}")
    return lines


def _schedule(spec: TrainSpec, *, searched: bool) -> str:
    match spec.schedule:
        case "plateau":
            watched = "the training loss" if searched else "validation"
            return f"(multiplied by {spec.lr_factor:g} when {watched} stops improving)"
        case "cosine":
            epochs = f"{spec.warmup:g} {choose_form(spec.warmup, 'epoch')}"
            rise = f"linear warm-up over {epochs}, then " if spec.warmup else ""
            return f"({rise}half a cosine down to 0)"
        case "constant":
            return "(constant)"


def _masks(spec: TrainSpec) -> str:
    masks = spec.spec_augment
    parts = [
        f"{masks.band_masks} of up to {masks.band_width} bands" if masks.band_masks else "",
        f"{masks.frame_masks} of up to {masks.frame_width} frames" if masks.frame_masks else "",
    ]
    named = " and ".join(part for part in parts if part)
    return f"SpecAugment masks, {named}" if named else ""


def _blocks(spec: CnnBiLstmSpec | CnnSpec | TransformerSpec | ConformerSpec) -> str:
    channels = "-".join(map(str, spec.channels))
    drop = f", channel dropout {spec.block_dropout:g}" if spec.block_dropout else ""
    return f"{format_count(len(spec.channels), 'convolution block')} of {channels} channels{drop}"


def _dense(widths: tuple[int, ...]) -> str:
    return f"dense {', '.join(map(str, widths))}; " if widths else ""
