from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric

from schemas.errors import RunError
from schemas.training import SpecAugmentSpec, TrainSpec
from tests.training.conftest import order_of
from training.loop import fit as loop
from training.loop.checkpoint import BEST, LAST, load_best, read_history
from training.loop.fabric import fabric_for
from training.loop.fit import Problem, Saving, fit, forward_all
from training.loop.optimise import plateau_rate
from training.loop.progress import TrainingProgress
from training.models.cnn_bilstm import CnnBiLstm
from training.runs.observer import EpochResult, Observer, SilentObserver

MakeModel = Callable[[int], CnnBiLstm]

SPEC = TrainSpec(batch_size=16, epochs=7, lr=0.2, patience=7, lr_patience=0)

REGULARISED = TrainSpec(
    batch_size=16,
    epochs=7,
    optimiser="adamw",
    lr=3e-2,
    schedule="cosine",
    warmup=1.5,
    patience=None,
    monitor="ua",
    label_smoothing=0.1,
    mixup=0.3,
    spec_augment=SpecAugmentSpec(band_masks=1, band_width=4, frame_masks=1, frame_width=5),
    gradient_clip=1.0,
    average=0.9,
)

BF16 = TrainSpec.model_validate({**SPEC.model_dump(), "precision": "bf16"})


class Killed(BaseException):
    """Ends a training as a kill would: nothing after it runs."""


class KilledAt(SilentObserver):
    """Kills in epoch ``epoch`` after ``batches`` batches."""

    def __init__(self, epoch: int, batches: int) -> None:
        self.epoch, self.left = epoch, batches
        self.current = 0
        self.done: int | None = None

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        self.current = epoch
        self.done = done if self.done is None else self.done

    def batch_done(self) -> None:
        if self.current == self.epoch:
            self.left -= 1
            if self.left == 0:
                raise Killed


def train(
    folder: Path,
    model: CnnBiLstm,
    problem: Problem,
    spec: TrainSpec = SPEC,
    observer: Observer | None = None,
    every: float = math.inf,
) -> TrainingProgress:
    folder.mkdir(exist_ok=True)
    fabric = fabric_for(torch.device("cpu"), spec)
    return fit(fabric, model, problem, spec, Saving(folder, every), observer or SilentObserver())


def timeless(history: list[EpochResult]) -> list[EpochResult]:
    return [replace(result, seconds=0.0) for result in history]


def assert_same_weights(one: CnnBiLstm, two: CnnBiLstm) -> None:
    other = two.state_dict()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other[name]), name


def test_training_learns_and_keeps_the_best_epoch(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    model = make_model(0)
    history = train(tmp_path, model, problem).history
    assert history[-1].train_loss < history[0].train_loss
    assert [r.epoch for r in history] == list(range(1, len(history) + 1))
    best = min(history, key=lambda r: r.validation_loss)
    assert load_best(tmp_path, model) == best.epoch
    fabric = Fabric(accelerator="cpu", devices=1)
    logits, true = forward_all(fabric, model, problem.normaliser, problem.validation, 8)
    # Other batches, other sums: equal up to float32.
    assert float(torch.nn.functional.cross_entropy(logits, true)) == pytest.approx(
        best.validation_loss, rel=1e-5
    )


def test_a_seed_gives_the_same_weights_and_another_seed_others(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    one, two, three = make_model(0), make_model(0), make_model(0)
    spec = SPEC.model_copy(update={"epochs": 2})
    first = train(tmp_path / "1", one, problem, spec)
    torch.rand(17)
    second = train(tmp_path / "2", two, problem, spec)
    train(tmp_path / "3", three, replace(problem, seed=4), spec)
    assert timeless(first.history) == timeless(second.history)
    assert_same_weights(one, two)
    assert not torch.equal(one.output.weight, three.output.weight)


@pytest.mark.parametrize("spec", [SPEC, REGULARISED, BF16], ids=["plain", "regularised", "bf16"])
@pytest.mark.parametrize(
    ("epoch", "batches", "every"),
    [(1, 2, math.inf), (1, 2, 0.0), (3, 1, 0.0), (4, 5, 0.0), (7, 3, math.inf)],
)
def test_a_training_that_was_killed_and_resumed_ends_bit_for_bit_as_one_that_was_not(
    tmp_path: Path,
    make_model: MakeModel,
    problem: Problem,
    epoch: int,
    batches: int,
    every: float,
    spec: TrainSpec,
) -> None:
    whole = make_model(0)
    expected = train(tmp_path / "whole", whole, problem, spec)
    assert len({r.learning_rate for r in expected.history}) > 1, "there is a schedule to resume"
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        train(folder, make_model(0), problem, spec, KilledAt(epoch, batches), every)
    assert len(read_history(folder)) == epoch - 1
    # Resumed from other weights, unless nothing was saved: a new run starts from its seed.
    resumed = make_model(99 if (folder / LAST).exists() else 0)
    heard = KilledAt(0, 0)
    found = train(folder, resumed, problem, spec, heard, every)
    # The batch that it was killed after is not saved; those before it are.
    assert heard.done == (batches - 1 if every == 0 else 0)
    assert timeless(found.history) == timeless(expected.history)
    assert_same_weights(resumed, whole)
    assert load_best(folder, resumed) == load_best(tmp_path / "whole", whole)
    assert_same_weights(resumed, whole)


@pytest.mark.parametrize("missing", ["save_last", "save_best"])
def test_a_kill_before_last_or_between_last_and_best_changes_nothing(
    tmp_path: Path, make_model: MakeModel, problem: Problem, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    whole = make_model(0)
    expected = train(tmp_path / "whole", whole, problem)
    second = [r.epoch for r in expected.history if r.best][1]

    save = getattr(loop, missing)

    def killed(*arguments: Any) -> None:
        if next(part for part in arguments if isinstance(part, TrainingProgress)).epoch == second:
            raise Killed
        save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, missing, killed)
        with pytest.raises(Killed):
            train(tmp_path / "killed", make_model(0), problem)
    resumed = make_model(99)
    found = train(tmp_path / "killed", resumed, problem)
    assert timeless(found.history) == timeless(expected.history)
    assert (tmp_path / "killed" / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()
    assert_same_weights(resumed, whole)


def test_best_weights_are_those_of_the_history_whatever_a_repeated_epoch_gives(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    """On a device that is not deterministic a repeated epoch may be worse than what ``best`` held."""
    model = make_model(0)
    best = train(tmp_path, model, problem).best
    assert best is not None
    before = (tmp_path / BEST).read_bytes()
    (tmp_path / BEST).write_bytes(b"of an epoch that the history does not have")
    assert train(tmp_path, make_model(1), problem).best == best
    assert (tmp_path / BEST).read_bytes() == before


def test_a_lost_last_is_no_new_start(tmp_path: Path, make_model: MakeModel, problem: Problem) -> None:
    spec = SPEC.model_copy(update={"epochs": 1})
    train(tmp_path, make_model(0), problem, spec)
    (tmp_path / LAST).unlink()
    with pytest.raises(RunError, match=r"last\.safetensors is missing.*start a new run"):
        train(tmp_path, make_model(0), problem, spec)


def test_early_stopping_waits_for_patience_epochs(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    spec = TrainSpec(batch_size=70, epochs=60, lr=0.1, patience=3)
    problem = replace(problem, order=order_of(70, 70))
    progress = train(tmp_path, make_model(0), problem, spec)
    assert progress.best is not None
    assert progress.epoch == progress.best.epoch + 3 < 60
    assert len(train(tmp_path, make_model(0), problem, spec).history) == progress.epoch, "and stays stopped"


def test_learning_rate_falls_by_the_factor_after_its_patience(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    spec = TrainSpec(batch_size=70, epochs=8, lr=1e-20, lr_patience=2, lr_factor=0.1, patience=20)
    frozen = make_model(0)
    for module in frozen.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    history = train(tmp_path, frozen, replace(problem, order=order_of(70, 70)), spec).history
    # Nothing moves: epoch 1 is the best, 2-4 are three bad ones, so epoch 5 is slower, and then epoch 8.
    assert [round(r.learning_rate / 1e-20, 6) for r in history] == [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01]


def test_learning_rate_follows_the_training_loss_if_validation_clips_are_trained_on(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    trained_on = replace(problem, plateau_of="training")
    history = train(tmp_path, make_model(1), trained_on).history
    losses = [epoch.train_loss for epoch in history]
    assert [epoch.learning_rate for epoch in history[1:]] == [
        plateau_rate(SPEC, losses[:done]) for done in range(1, len(losses))
    ]
    of_validation = [epoch.validation_loss for epoch in history]
    assert plateau_rate(SPEC, losses[:-1]) != plateau_rate(SPEC, of_validation[:-1])


def test_observer_hears_every_batch_and_epoch(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    heard: list[object] = []

    class Listener(SilentObserver):
        def epoch_started(self, epoch: int, batches: int, done: int) -> None:
            heard.append((epoch, batches, done))

        def batch_done(self) -> None:
            heard.append("batch")

        def epoch_done(self, result: EpochResult) -> None:
            heard.append(result)

    progress = train(tmp_path, make_model(0), problem, SPEC.model_copy(update={"epochs": 2}), Listener())
    batches = ["batch"] * 5
    first, second = progress.history
    assert heard == [(1, 5, 0), *batches, first, (2, 5, 0), *batches, second]


@pytest.mark.parametrize("gradient_clip", [None, 1e30])
def test_a_loss_that_is_not_finite_is_a_sentence(
    tmp_path: Path, make_model: MakeModel, problem: Problem, gradient_clip: float | None
) -> None:
    spec = TrainSpec(batch_size=16, epochs=5, lr=1e38, gradient_clip=gradient_clip)
    with pytest.raises(RunError, match=r"no longer finite in epoch \d.*lower the recipe's lr"):
        train(tmp_path, make_model(0), problem, spec)
    assert not (tmp_path / LAST).exists(), "an epoch that failed leaves nothing to resume from"


@pytest.mark.parametrize(("monitor", "merit"), [("loss", "validation_loss"), ("ua", "validation_ua")])
def test_the_best_epoch_is_that_of_the_metric_that_is_monitored(
    tmp_path: Path, make_model: MakeModel, problem: Problem, monitor: str, merit: str
) -> None:
    spec = TrainSpec.model_validate({**SPEC.model_dump(), "monitor": monitor})
    history = train(tmp_path, make_model(0), problem, spec).history
    values = [getattr(result, merit) * (-1 if monitor == "loss" else 1) for result in history]
    assert [r.best for r in history] == [v > max(values[:i], default=-math.inf) for i, v in enumerate(values)]
    assert load_best(tmp_path, make_model(0)) == 1 + values.index(max(values))


def test_the_last_epoch_is_kept_where_none_is_chosen(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    spec = TrainSpec.model_validate({**SPEC.model_dump(), "monitor": "last", "patience": None})
    model, kept = make_model(0), make_model(1)
    history = train(tmp_path, model, problem, spec).history
    assert [r.best for r in history] == [True] * 7
    assert load_best(tmp_path, kept) == 7
    assert_same_weights(kept, model)


def test_a_training_in_another_order_is_not_gone_on_with(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    train(tmp_path, make_model(0), problem, SPEC.model_copy(update={"epochs": 1}))
    with pytest.raises(RunError, match="another store, split, set of views or batch size"):
        train(tmp_path, make_model(0), replace(problem, order=order_of(70, 14)), SPEC)


def test_averaged_weights_are_validated_and_kept(
    tmp_path: Path, make_model: MakeModel, problem: Problem
) -> None:
    model, averaged = make_model(0), make_model(0)
    train(tmp_path / "plain", model, problem, SPEC.model_copy(update={"epochs": 2}))
    spec = SPEC.model_copy(update={"epochs": 2, "average": 0.99})
    progress = train(tmp_path / "averaged", averaged, problem, spec)
    assert_same_weights(model, averaged)
    load_best(tmp_path / "averaged", averaged)
    assert not torch.equal(model.output.weight, averaged.output.weight)
    assert progress.best is not None
    fabric = Fabric(accelerator="cpu", devices=1)
    logits, true = forward_all(fabric, averaged, problem.normaliser, problem.validation, SPEC.batch_size)
    found = float(torch.nn.functional.cross_entropy(logits, true))
    assert found == pytest.approx(progress.best.validation_loss, rel=1e-6)
