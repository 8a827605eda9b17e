"""Training of a network by a plan, and predictions with the best epoch's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import nn

from featurestore.places.durable import storage_errors, write_durably
from featurestore.store import FeatureStore
from schemas.architecture import LinearSpec
from schemas.errors import RunError
from training.loader.open import choose_home, open_source
from training.loader.order import Order
from training.loader.source import Source
from training.loop.checkpoint import load_best, read_history
from training.loop.concordance import DimensionLoss
from training.loop.fit import Problem, Saving, fit, forward_all
from training.loop.loss import Loss, loss_of
from training.loop.normalise import Normalisation, Normaliser
from training.loop.outputs import results_of
from training.loop.validate import DimensionValidator, validate_classes
from training.metrics.temperature import TemperatureEffect
from training.models.layer_weights import LayerShares, layer_shares
from training.models.registry import build_model
from training.plan.plan import Plan
from training.runs.observer import AnyEpochResult, Observer, SilentObserver
from training.runs.recorder import Recorder
from training.runs.request import Hardware
from training.runs.run import RunFolder, RunRecord
from training.samples.samples import Samples
from training.splits.side import Side
from training.vectors.clip_vectors import clip_vectors
from training.vectors.source import require_room_for_vectors, vectors_source
from training.vectors.states import states_of

if TYPE_CHECKING:
    from lightning.fabric import Fabric

_LINEAR_COPIES = 7
"""float32 tables that fitting a linear classifier takes: as read, standardised in float64, and liblinear's
own nodes of 16 bytes per value."""


@dataclass(frozen=True, eq=False)
class TrainingOutcome:
    """Result of a training run: its history, and its results for the held-out sides."""

    history: tuple[AnyEpochResult, ...]
    best_epoch: int | None
    """None for a model without epochs."""
    parameters: int
    results: Mapping[Side, NDArray[np.float64]]
    """Probabilities (samples, classes) or values (samples, dimensions) for validation and test, in the plan's
    order of samples."""
    temperature: TemperatureEffect | None = None
    """None for a model without a temperature."""
    layer_shares: tuple[LayerShares, ...] = ()
    """What the network has learnt about the layers of each encoder; empty if it weighs no layers."""


def new_network(record: RunRecord) -> nn.Module:
    """The recipe's network, initialised from the run's seed. Raises :class:`SpecError`."""
    torch.manual_seed(record.seed)
    states = states_of(record.recipe, record.store_spec, record.features)
    return build_model(record.recipe.model, *input_size(record), classes=len(record.outputs), states=states)


def train_network(
    fabric: Fabric, planned: Plan, folder: RunFolder, model: nn.Module, observer: Observer
) -> TrainingOutcome:
    """Train ``model``, resuming the run in ``folder`` if any, and predict with the best epoch's weights."""
    record, train = planned.record, planned.record.recipe.train
    sources = sources_of(record, planned.store, planned.read, fabric.device, planned.hardware, observer)
    normaliser = Normaliser(Normalisation.load(folder.normalisation)).to(fabric.device)
    samples = planned.fitted
    problem = Problem(
        train=sources["train"],
        validation=sources["validation"],
        order=Order.of(planned.store, samples, train.batch_size, train.view_sampling),
        normaliser=normaliser,
        loss=loss_for(record, samples).to(fabric.device),
        seed=record.seed,
        validate=DimensionValidator(record.dimensions) if record.dimensions else validate_classes,
        plateau_of="validation" if record.searched is None else "training",
    )
    saving = Saving(folder.checkpoints, planned.hardware.save_every)
    graphs = planned.hardware.cuda_graphs
    with storage_errors(folder.path, retry=f"run {planned.resume_command(folder.path)}"):
        if fabric.is_global_zero:
            with Recorder(folder, read_history(folder.checkpoints), observer) as recorder:
                progress = fit(fabric, model, problem, train, saving, recorder, cuda_graphs=graphs)
        else:
            progress = fit(fabric, model, problem, train, saving, SilentObserver(), cuda_graphs=graphs)
    fabric.barrier()
    best_epoch = load_best(folder.checkpoints, model)
    held_out: dict[Side, NDArray[np.float64]] = {}
    for side in ("validation", "test"):
        outputs, _ = forward_all(fabric, model, normaliser, sources[side], train.batch_size)
        held_out[side] = results_of(record, outputs)
    if record.searched is not None:  # the model has heard the validation clips
        held_out["validation"] = read_held_out(folder.held_out, held_out["validation"].shape)
    return TrainingOutcome(
        history=tuple(progress.history),
        best_epoch=best_epoch,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        results=held_out,
        layer_shares=layer_shares(model),
    )


def write_held_out(path: Path, probabilities: NDArray[np.float64]) -> None:
    """Write ``probabilities`` (validation samples, classes) by models that did not hear these clips."""
    write_durably(path, save({"probabilities": np.ascontiguousarray(probabilities)}))


def read_held_out(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Read what :func:`write_held_out` wrote. Raises :class:`RunError` for another shape or another file."""
    try:
        found: NDArray[np.float64] = load_file(path)["probabilities"]
    except (OSError, KeyError, SafetensorError) as error:
        raise RunError(f"cannot read {path} ({error}); start a new search") from error
    if found.shape != shape:
        raise RunError(f"{path} holds {found.shape} probabilities, not {shape}; start a new search")
    return found


def loss_for(record: RunRecord, samples: Samples) -> Loss | DimensionLoss:
    """The loss of a run's recipe for training on ``samples``."""
    if record.dimensions:
        return DimensionLoss(record.dimensions)
    return loss_of(record.recipe.train, samples.classes, len(record.classes))


def input_size(record: RunRecord) -> tuple[int, int]:
    """Numbers of rows and steps of a network's input."""
    spec = record.store_spec
    vectors = clip_vectors(record.recipe, spec, record.features)
    if vectors is not None:
        return vectors.width, 1
    return sum(spec.coefficients[name] for name in record.features), spec.common_frames(record.features)


def require_room(
    record: RunRecord,
    store: FeatureStore,
    samples: Mapping[Side, Samples],
    device: torch.device,
    hardware: Hardware,
) -> None:
    """Raise :class:`RunError` if there is no room for the samples of all sides."""
    vectors = clip_vectors(record.recipe, store.spec, record.features)
    if vectors is not None:
        linear = isinstance(record.recipe.model, LinearSpec)  # fitted in the machine's memory
        home, copies = (torch.device("cpu"), _LINEAR_COPIES) if linear else (device, 1)
        require_room_for_vectors(samples.values(), vectors, home, hardware.memory, copies=copies)
        return
    choose_home(
        store, samples.values(), record.features, device, budget=hardware.memory, wanted=hardware.loader
    )


def sources_of(
    record: RunRecord,
    store: FeatureStore,
    samples: Mapping[Side, Samples],
    device: torch.device,
    hardware: Hardware,
    observer: Observer,
) -> dict[Side, Source]:
    """Sources of the samples of each side, as the recipe's input needs them."""
    count = sum(map(len, samples.values()))
    vectors = clip_vectors(record.recipe, store.spec, record.features)
    if vectors is not None:
        observer.loading_started(count)
        return {
            side: vectors_source(
                store,
                read,
                record.features,
                vectors,
                device,
                observer.loaded,
                within=record.recipe.input.within,
            )
            for side, read in samples.items()
        }
    home = choose_home(
        store, samples.values(), record.features, device, budget=hardware.memory, wanted=hardware.loader
    )
    observer.loading_started(0 if home == "stream" else count)
    return {
        side: open_source(store, read, record.features, home, device, hardware.memory, observer.loaded)
        for side, read in samples.items()
    }
