"""The shipped recipes state what the published systems state, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data.registry import CORPORA
from schemas.labels import Emotion
from schemas.model import Model
from schemas.recipe import Recipe, load_recipe, shipped_recipes
from schemas.spec import StoreSpec

FOUR = ("ravdess", "tess", "savee", "cremad")
BILSTM = {"family": "cnn_bilstm", "layers": 1}
FOUR_CORPORA: dict[str, Any] = {
    "datasets": FOUR,
    "audio": {"sample_rate": 22_050, "duration_s": 3.0},
    "features": {"mel": {}, "mfcc": {"n_mfcc": 40}, "rms": {}, "zcr": {}},
    "views": (
        {"kind": "noise"},
        {"kind": "pitch", "semitones": 2.0},
        {"kind": "pitch", "semitones": -2.0},
        {"kind": "shift", "fraction": (-0.2, 0.2)},
        {"kind": "speed", "factor": 0.8},
        {"kind": "speed", "factor": 1.25},
    ),
    "labels": {"set": "common7"},
    "train": {
        "optimiser": "adam",
        "schedule": "plateau",
        "weight_decay": 1e-5,
        "epochs": 200,
        "patience": 5,
        "batch_size": 32,
        "view_sampling": "all",
    },
}
"""Each original and each of its six augmented copies is a sample of its own."""

STATED: dict[str, dict[str, Any]] = {
    "four-corpora-a": {
        **FOUR_CORPORA,
        "labels": {"set": "common7", "target": "gender_emotion"},
        "model": {**BILSTM, "name": "A", "blocks": 4, "dropout": 0.3},
    },
    "four-corpora-b": {
        **FOUR_CORPORA,
        "labels": {"set": "common7", "target": "gender_emotion"},
        "model": {**BILSTM, "name": "B", "blocks": 5, "dropout": 0.3},
    },
    "four-corpora-c": {
        **FOUR_CORPORA,
        "labels": {"set": "common7", "target": "emotion"},
        "model": {**BILSTM, "name": "C", "blocks": 4, "dropout": 0.3},
    },
    "cremad": {
        "datasets": ("cremad",),
        "audio": {"frames": 216},
        "features": {
            "mfcc": {"n_mfcc": 40},
            "chroma": {"n_chroma": 12},
            "mel": {"n_mels": 128},
            "zcr": {},
            "rms": {},
        },
        "views": ({"kind": "noise"}, {"kind": "shift"}, {"kind": "pitch"}),
        "labels": {"set": "common6", "target": "emotion"},
        "input": {"normalise": "minmax"},
        "model": {
            **BILSTM,
            "channels": (64,),
            "pools": ((2, 2),),
            "block": ("relu", "pool"),
            "hidden": 128,
            "dense": (),
        },
    },
    "ravdess-attention": {
        "datasets": ("ravdess",),
        "audio": {"sample_rate": 16_000, "frames": 300, "normalise": "peak"},
        "features": {"mel": {"n_mels": 128}},
        "views": ({"kind": "stretch"}, {"kind": "pitch", "semitones": (-2.0, 2.0)}, {"kind": "noise"}),
        "labels": {"set": "ravdess8", "target": "emotion"},
        "model": {
            **BILSTM,
            "channels": (32, 64),
            "block": ("relu", "norm", "dropout", "pool"),
            "block_dropout": 0.2,
            "hidden": 128,
            "sequence_dropout": 0.2,
            "pooling": "attention",
            "dense": (),
            "dropout": 0.0,
        },
        "train": {
            "class_weights": "balanced",
            "optimiser": "adam",
            "lr": 1e-3,
            "batch_size": 16,
            "epochs": 100,
            "patience": 10,
            "monitor": "wa",
        },
    },
    "tess-delta": {
        "datasets": ("tess",),
        "audio": {"sample_rate": 16_000, "frames": 200, "normalise": "peak"},
        "features": {"mfcc": {"n_mfcc": 40}, "delta": {}, "delta2": {}},
        "views": (),
        "labels": {"set": "tess7", "target": "emotion"},
        "split": {"validation": 0.15, "test": 0.15},
        "model": {**BILSTM, "blocks": 2, "block": ("norm", "relu", "pool"), "hidden": 128, "layers": 1},
        "train": {
            "optimiser": "adam",
            "lr": 1e-3,
            "epochs": 20,
            "batch_size": 32,
            "monitor": "wa",
            "patience": None,
            "class_weights": "none",
        },
    },
    "three-corpora-cnn": {
        "datasets": ("ravdess", "tess", "cremad"),
        "audio": {"sample_rate": 22_050, "duration_s": 4.0},
        "spectral": {"n_fft": 2048, "hop_length": 512},
        "features": {"mel": {"n_mels": 128}},
        "views": ({"kind": "stretch", "factor": 1.2}, {"kind": "pitch", "semitones": 2.0}),
        "labels": {"set": "common6", "target": "emotion"},
        "input": {"normalise": "sample", "clip": 5.0},
        "model": {
            "family": "cnn",
            "channels": (64, 128, 256, 512),
            "pools": ((2, 2),) * 4,
            "block": ("norm", "relu", "pool", "dropout"),
            "block_dropout": 0.2,
            "dense": (512, 256),
            "dropout": 0.3,
        },
        "train": {
            "optimiser": "adamw",
            "lr": 1e-3,
            "weight_decay": 1e-4,
            "patience": 15,
            "schedule": "plateau",
            "lr_factor": 0.1,
        },
    },
}

FRAMES = {
    "four-corpora-a": 130,
    "four-corpora-b": 130,
    "four-corpora-c": 130,
    "cremad": 216,
    "ravdess-attention": 300,
    "tess-delta": 200,
    "three-corpora-cnn": 173,
}
"""What the systems state, or what 3 s at 22,050 Hz come to."""


def test_every_system_is_shipped() -> None:
    own = {
        "egemaps",
        "ravdess-functionals",
        "ravdess-transformer",
        "ravdess-conformer",
        "whisper-base",
        "whisper-tiny",
        "whisper-robust",
        "whisper-layers",
        "whisper-frames",
        "hubert-large",
        "wavlm-large",
    }
    assert set(shipped_recipes()) == {*STATED, *own}


@pytest.mark.parametrize("name", ["whisper-layers", "whisper-robust"])
def test_recipes_on_whisper_base_can_share_its_store(name: str) -> None:
    base, other = load_recipe("whisper-base"), load_recipe(name)
    assert (other.audio, other.spectral, other.features) == (base.audio, base.spectral, base.features)
    assert other.views[: len(base.views)] == base.views


def test_whisper_robust_trains_on_noise_pitch_and_untrimmed_clips() -> None:
    recipe = load_recipe("whisper-robust")
    names = ["original", *(view.name for view in recipe.views)]
    trained = [names[view] for view in recipe.train.views or ()]
    assert trained == ["original", "noise", "pitch+2", "pitch-2", "untrimmed"]


def test_recipes_of_encoders_differ_only_in_their_model() -> None:
    """So they can share a store, and their results can be compared."""
    one, two = (load_recipe(f"ravdess-{kind}") for kind in ("transformer", "conformer"))
    assert one.model_copy(update={"name": "", "description": "", "model": None}) == two.model_copy(
        update={"name": "", "description": "", "model": None}
    )


@pytest.mark.parametrize("name", STATED)
def test_a_recipe_has_what_its_system_states(name: str) -> None:
    recipe, stated = load_recipe(name), STATED[name]
    assert recipe.datasets == stated["datasets"]
    for section in stated.keys() & {"audio", "spectral", "labels", "input", "split", "train"}:
        require_equal(getattr(recipe, section), stated[section], section)
    assert {feature.kind for feature in recipe.features} == set(stated["features"])
    for feature in recipe.features:
        require_equal(feature, stated["features"][feature.kind], feature.kind)
    for view, of_system in zip(recipe.views, stated["views"], strict=True):
        require_equal(view, of_system, view.name)
    model = dict(stated["model"])
    blocks = model.pop("blocks", None)
    assert blocks in (None, len(recipe.model.channels))
    require_equal(recipe.model, model, "model")


def require_equal(found: Model, stated: dict[str, Any], where: str) -> None:
    held = found.model_dump()
    assert {key: held[key] for key in stated} == stated, where


@pytest.mark.parametrize("name", STATED)
def test_a_recipes_store_has_the_stated_frames(name: str) -> None:
    spec = load_recipe(name).store_spec()
    assert spec.frames == FRAMES[name]
    assert StoreSpec.model_validate_json(spec.model_dump_json()).digest == spec.digest


@pytest.mark.parametrize("name", STATED)
def test_every_recipe_is_speaker_independent_unless_told_otherwise(name: str) -> None:
    """TESS has two speakers, of which three sides cannot be made."""
    assert load_recipe(name).split.protocol == ("loso" if name == "tess-delta" else "speaker")


def test_the_four_corpora_recipes_need_one_store() -> None:
    assert len({load_recipe(f"four-corpora-{model}").store_spec().digest for model in "abc"}) == 1


def test_a_recipe_reads_back_what_a_run_keeps_of_it() -> None:
    for name in STATED:
        recipe = load_recipe(name)
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_three_corpora_have_the_10898_clips_that_the_system_states(tmp_path: Path) -> None:
    """RAVDESS and TESS by their rule for names; all of CREMA-D's six emotions are learnt."""
    recipe = load_recipe("three-corpora-cnn")
    for emotion in range(1, 9):
        for intensity in (1, 2) if emotion > 1 else (1,):
            for take in ("01-01", "01-02", "02-01", "02-02"):
                for actor in range(1, 25):
                    name = f"03-01-{emotion:02d}-{intensity:02d}-{take}-{actor:02d}.wav"
                    touch(tmp_path / "ravdess" / name)
    for speaker in ("OAF", "YAF"):
        for emotion in ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"):
            for word in range(200):
                touch(
                    tmp_path
                    / "tess"
                    / f"{speaker}_word{chr(97 + word // 26)}{chr(97 + word % 26)}_{emotion}.wav"
                )

    corpora = [CORPORA[name] for name in recipe.datasets or ()]
    assert sum(corpus.expected_clips or 0 for corpus in corpora) == 11_682
    labels, learnt = recipe.labels.label_set(), 0
    for corpus in corpora:
        if corpus.name == "cremad":
            learnt += corpus.expected_clips or 0
            continue
        clips = corpus.scan(tmp_path / corpus.name).clips
        assert len(clips) == corpus.expected_clips
        learnt += sum(labels.emotion_of(clip.emotion) is not None for clip in clips)
    assert learnt == 10_898
    six = {Emotion.ANGRY, Emotion.DISGUST, Emotion.FEARFUL, Emotion.HAPPY, Emotion.NEUTRAL, Emotion.SAD}
    assert set(labels.classes) == six


def touch(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
