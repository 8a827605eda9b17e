from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.labels import Target, label_set
from schemas.named_models import MODELS, named_model
from schemas.recipe import Recipe, load_recipe
from schemas.training import InputSpec, SpecAugmentSpec, TrainSpec
from tests.training.claims import claim
from training.audits.audit import Audit
from training.metrics.evaluation import evaluate
from training.metrics.scores import Evaluation
from training.report.model_card import model_card
from training.report.recipe_prose import input_prose, model_prose, training_prose
from training.report.result import RunResult
from training.runs.observer import EpochResult, SideSize
from training.runs.run import RunFolder, RunRecord, library_versions, now
from training.splits.claim import Independence

RECIPE = load_recipe("four-corpora-a")


def recipe_with(**parts: Any) -> Recipe:
    content = RECIPE.model_dump()
    for name, values in parts.items():
        content[name] = {**content[name], **values} if name != "model" else values
    return Recipe.model_validate(content)


def evaluation(target: Target) -> Evaluation:
    labels = label_set("common7")
    classes = len(labels.class_names(target))
    true = np.arange(classes).repeat(4)
    groups = {"corpus": ["tess"] * len(true), "gender": ["female"] * len(true)}
    groups["speaker"] = [f"tess/{i % 4}" for i in range(len(true))]
    return evaluate(
        true, np.eye(classes)[np.where(np.arange(len(true)) % 3, true, 0)], labels, target, groups
    )


def result(recipe: Recipe = RECIPE, **changes: Any) -> RunResult:
    target = recipe.labels.target
    record = RunRecord(
        created=now(),
        recipe=recipe,
        seed=3,
        device="cpu",
        threads=2,
        store="x.zarr",
        store_digest="sha256:abc",
        store_spec=recipe.store_spec(),
        features=("mel", "mfcc", "rms", "zcr"),
        classes=label_set("common7").class_names(target),
        heard=("tess/5",),
        versions=library_versions(),
    )
    history = tuple(EpochResult(i, 1.0, 1.0, 0.5, 0.5, 1e-3, 1.0, i == 2) for i in range(1, 8))
    size = {"train": SideSize(80, 4, 160), "validation": SideSize(14, 1, 14), "test": SideSize(56, 4, 56)}
    found = RunResult(
        folder=RunFolder(Path("run")),
        record=record,
        claim=claim(),
        test=evaluation(target),
        validation=evaluation(target),
        best_epoch=2,
        history=history,
        sides=size,  # type: ignore[arg-type]
        corpora={"train": ("ravdess", "tess"), "validation": ("tess",), "test": ("tess",)},
        audit=Audit("speaker", {}, {}, {}, (), 0, 0),  # type: ignore[arg-type]
        notices=(),
        report="",
        parameters=1_234_567,
    )
    return replace(found, **changes)


def test_the_card_leads_with_protocol_and_interval() -> None:
    found = result()
    card = model_card(found)
    assert card.startswith("# Speech emotion classifier: model A, trained on ravdess and tess\n")
    assert "## Result: speaker-independent (protocol: speaker)\n\n56 test clips of 4 speakers" in card
    assert "weights of epoch 2, which has the lowest validation loss." in card
    ua = found.test.own.intervals.ua  # type: ignore[union-attr]
    interval = f"{100 * ua.low:.1f}–{100 * ua.high:.1f}"
    assert f"| gender × emotion (14 classes) | {100 * found.test.own.ua:.1f} % | {interval} |" in card
    assert "Warning" not in card
    assert "proves that no speaker and no recording is on two sides" in card


@pytest.mark.parametrize(
    ("monitor", "chosen", "ending"),
    [
        ("loss", "lowest validation loss", "without a lower validation loss"),
        ("ua", "highest validation UA", "without a higher validation UA"),
        ("wa", "highest validation WA", "without a higher validation WA"),
    ],
)
def test_the_card_says_by_what_the_epoch_was_chosen(monitor: str, chosen: str, ending: str) -> None:
    card = model_card(result(recipe_with(train={"monitor": monitor})))
    assert f"weights of epoch 2, which has the {chosen}." in card
    assert f"7 epochs: stopped early, after 5 {ending}. Views: " in card
    assert (
        f"Kept: the epoch with the {chosen}; at most 200 epochs, stopped after 5 without improvement." in card
    )


def test_the_card_tells_model_input_and_parameters() -> None:
    card = model_card(result(recipe_with(input={"normalise": "sample", "clip": 5.0})))
    assert "4 convolution blocks of 16-32-64-64 channels, channel dropout 0.3; 1 BiLSTM layer of 128" in card
    assert "1,234,567 parameters." in card
    assert "Input: zero mean and unit deviation within each sample, clipped to ±5" in card


def test_a_network_with_an_encoder_is_described_from_input_to_output() -> None:
    text = model_prose(MODELS["ravdess-conformer"])
    for words in (
        "16-32-64-64 channels, channel dropout 0.1; projected to 96 values per step, dropout 0.2; ",
        "4 conformer blocks with 4 heads and 192 inner units, relative positions up to 16 steps, ",
        "convolutions over 15 steps, dropout 0.1; mean and deviation over the valid frames, weighted by ",
    ):
        assert words in text
    assert "convolutions over" not in model_prose(MODELS["ravdess-transformer"])


def test_what_a_recipe_does_not_use_is_not_told_and_what_it_uses_is() -> None:
    plain = " ".join(training_prose(TrainSpec()))
    for word in ("mixup", "smoothing", "SpecAugment", "average", "weighted", "clipped", "bfloat16", "drawn"):
        assert word not in plain
    assert (
        "Adam, learning rate 0.001 (multiplied by 0.5 when validation stops improving), L2 penalty 1e-05"
        in plain
    )
    everything = TrainSpec(
        view_sampling="one",
        optimiser="adamw",
        schedule="cosine",
        warmup=2,
        patience=None,
        class_weights="balanced",
        label_smoothing=0.1,
        mixup=0.2,
        spec_augment=SpecAugmentSpec(band_masks=2, frame_masks=1, frame_width=20),
        gradient_clip=1.0,
        average=0.999,
        precision="bf16",
    )
    text = " ".join(training_prose(everything))
    for words in (
        "AdamW, learning rate 0.001 (linear warm-up over 2 epochs, then half a cosine down to 0), decoupled",
        "lowest validation loss; 200 epochs",
        "Every clip once per epoch, in a random view; classes weighted by their inverse frequency",
        "label smoothing 0.1; mixup, alpha 0.2; SpecAugment masks, 2 of up to 16 bands and 1 of",
        "of up to 16 bands and 1 of up to 20 frames",
        "gradients clipped to a norm of 1; moving average of the weights, decay 0.999; matrix products",
    ):
        assert words in text
    assert input_prose(InputSpec(normalise="minmax")).startswith("each coefficient scaled from its range")


@pytest.mark.parametrize("independence", ["speaker-dependent", "leaky"])
def test_a_result_that_tells_nothing_of_new_speakers_is_marked(independence: Independence) -> None:
    card = model_card(result(claim=claim(independence, "random")))
    assert f"**Warning.** {independence.capitalize()}: " in card
    assert "proves that no speaker" not in card


def test_the_promise_does_not_hang_on_words_of_the_title() -> None:
    named = claim(protocol=None, trained_on=("leaky",), tested_on=("speaker-dependent",))
    card = model_card(result(claim=named))
    assert "Warning" not in card
    assert "proves that no speaker and no recording is on two sides" in card


def test_validation_on_speakers_of_the_training_is_told() -> None:
    card = model_card(result(validation_by="sentence"))
    assert "no test speaker and no recording is on two sides" in card
    assert "in sentences absent from training." in card


def test_a_baseline_without_epochs_has_a_card_without_epochs() -> None:
    recipe = recipe_with(model=named_model({"name": "functionals"}))
    card = model_card(result(recipe, best_epoch=None, history=(), parameters=None))
    assert "56 test clips of 4 speakers; trained without epochs." in card
    assert "linear SVM, C 0.001" in card
    assert "learning rate" not in card
    assert "parameters" not in card
    assert "None" not in card


def test_metrics_json_names_protocol_and_monitor() -> None:
    values = result().to_json()
    assert (values["title"], values["protocol"]) == ("speaker-independent (protocol: speaker)", "speaker")
    assert values["claim"] == {
        "independence": "speaker-independent",
        "protocol": "speaker",
        "trained_on": ["ravdess", "tess"],
        "tested_on": ["tess"],
        "crosses_corpora": False,
        "normalised_by_speaker": False,
        "normalised_by_corpus": False,
        "configurations": None,
        "fold": None,
        "folds": None,
    }
    assert (values["parameters"], values["monitor"], values["best_epoch"]) == (1_234_567, "loss", 2)
    assert result(best_epoch=None, history=()).to_json()["epochs"] == 0
