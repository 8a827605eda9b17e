"""Samples per second of all networks, eager and as CUDA graphs, in float32 and bfloat16."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import torch
import train_ours
from batch_clock import BatchClock
from peers import train_plain

from gpu.session import Session, Tell
from schemas.architecture import CnnBiLstmSpec, CnnSpec, ConformerSpec, MlpSpec, TransformerSpec
from schemas.named_models import MODELS
from schemas.recipe import load_recipe
from training.runs.request import Hardware, TrainRequest
from training.train import train

RECIPE = "four-corpora-a"
"""All models are trained on its features, so that one store is enough."""


def graphs_32(session: Session, tell: Tell) -> None:
    """CUDA graphs, float32."""
    _measure(session, tell, "32", graphs=True)


def eager_32(session: Session, tell: Tell) -> None:
    """Kernel by kernel, float32."""
    _measure(session, tell, "32", graphs=False)


def graphs_bf16(session: Session, tell: Tell) -> None:
    """CUDA graphs, bfloat16."""
    _measure(session, tell, "bf16", graphs=True)


def eager_bf16(session: Session, tell: Tell) -> None:
    """Kernel by kernel, bfloat16."""
    _measure(session, tell, "bf16", graphs=False)


def plain_peer(session: Session, tell: Tell) -> None:
    """The textbook version of model A, with a DataLoader, on the same store."""
    recipe, device = load_recipe(RECIPE), torch.device(session.device)
    seconds = train_plain.seconds_a_batch(
        "A",
        session.store(),
        tuple(feature.kind for feature in recipe.features),
        recipe.train.batch_size,
        0,
        device,
        _clock(session),
    )
    tell("samples/s, A", round(recipe.train.batch_size / seconds, 1))


def networks(session: Session) -> list[str]:
    """Names of all networks that train on spectral features; in miniature, two."""
    kinds = (CnnBiLstmSpec, CnnSpec, TransformerSpec, ConformerSpec, MlpSpec)
    found = sorted(name for name, spec in MODELS.items() if isinstance(spec, kinds))
    return ["A", "functionals-mlp"] if session.miniature else found


def _measure(session: Session, tell: Tell, precision: str, *, graphs: bool) -> None:
    for model in networks(session):
        tell(f"samples/s, {model}", round(_rate(session, model, precision, graphs=graphs), 1))


def _rate(session: Session, model: str, precision: str, *, graphs: bool) -> float:
    clock, recipe = _clock(session), load_recipe(RECIPE)
    functionals = isinstance(MODELS[model], MlpSpec)
    with tempfile.TemporaryDirectory() as runs:
        request = TrainRequest(
            store=session.store(),
            recipe=recipe,
            changes=(
                *(() if recipe.model.name == model else (f"model.name={model}",)),
                *(("input.representation=functionals",) if functionals else ()),
                f'train.precision="{precision}"',
                'split.protocol="speaker"',
                "datasets=null",
                "train.patience=null",
                "train.epochs=100000",
            ),
            output=Path(runs),
            hardware=Hardware(session.device, cuda_graphs=graphs and session.device == "cuda"),
        )
        with suppress(train_ours.EnoughError):
            train(request, train_ours.Timer(clock))
    return recipe.train.batch_size / (clock.seconds / clock.timed)


def _clock(session: Session) -> BatchClock:
    return BatchClock(session.size(100, 1), session.size(500, 1), torch.device(session.device))
