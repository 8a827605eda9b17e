"""What training on a GPU gives: graphs, resumed runs, every home of samples, and commands after training."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from gpu.session import Session, Tell
from schemas.errors import RunError, StoppedError
from schemas.recipe import load_recipe
from training.evaluate import EvaluationRequest, evaluate_runs
from training.http.form import Upload
from training.loop.loss import Loss
from training.predict.predictor import Predictor
from training.report.result import RunResult
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, Home, TrainRequest
from training.train import train
from training.web.answer import answer
from training.web.limits import Limits

HOMES: tuple[Home, ...] = ("device", "ram", "stream")
RECIPE = "four-corpora-a"


class StopAfter(SilentObserver):
    """Ctrl-C after some batches."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def batch_done(self) -> None:
        """Stop after the last."""
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


def graphs_equal_eager(session: Session, tell: Tell) -> None:
    """Three epochs each."""
    eager, graphs = (
        _train(session, f"{name}-three", graphs=name == "graphs") for name in ("eager", "graphs")
    )
    _tell_difference(tell, eager, graphs)


def stop_and_resume(session: Session, tell: Tell) -> None:
    """Stop in the second epoch, resume, and compare with a training that was not stopped."""
    whole = _train(session, "whole")
    batches = len(whole.history) and round(1.5 * _batches(whole))
    with suppress(StoppedError):
        _train(session, "stopped", observer=StopAfter(batches))
    folder = session.scratch / "runs" / "stopped"
    resumed = train(TrainRequest(store=session.store(), resume=folder, hardware=_hardware(session)))
    _tell_difference(tell, whole, resumed)


def homes_with_graphs(session: Session, tell: Tell) -> None:
    """The same training with samples on the device, in memory and in the store."""
    first: RunResult | None = None
    for home in HOMES:
        found = _train(session, f"home-{home}", home=home)
        first = first or found
        tell(f"largest difference, {home}", _largest_difference(first, found))


def other_commands(session: Session, tell: Tell) -> None:
    """Evaluation, prediction and the demo's answer, on the device and on the CPU."""
    run = _train(session, "tested").folder.path
    _, files = session.corpora(session.size(60, 2))
    found: dict[str, dict[str, Any]] = {}
    for device in ("cpu", session.device):
        predictor = Predictor.open(run, device)
        upload = Upload("a clip", Path(files[0]).read_bytes())
        found[device] = {
            "evaluate": evaluate_runs(
                EvaluationRequest((run,), session.store(), hardware=Hardware(device))
            ).predictions.probabilities,
            "predict": np.stack([predictor.predict(file).probabilities for file in files]),
            "demo": np.array([share for _, share in answer(predictor, upload, Limits()).ranked]),
        }
    for name, value in found["cpu"].items():
        tell(f"largest difference, {name}", float(np.abs(value - found[session.device][name]).max()))


def bf16_against_32(session: Session, tell: Tell) -> None:
    """Unweighted accuracy on the test speakers after the same epochs."""
    epochs = session.size(12, 1)
    for precision in ("32", "bf16"):
        changes = (f'train.precision="{precision}"', f"train.epochs={epochs}")
        found = _train(session, f"precision-{precision}", *changes)
        tell(f"UA, {precision}", round(found.test.own.ua, 4))


def failed_capture(session: Session, tell: Tell) -> None:
    """A loss that waits for the device must end the training with a sentence that names the way out."""
    if session.device == "cpu":
        tell("not run on", "cpu")
        return
    real = Loss.forward

    def wait(loss: Loss, logits: Tensor, targets: Tensor) -> Any:
        if torch.cuda.is_current_stream_capturing():
            logits.sum().item()
        return real(loss, logits, targets)

    with mock.patch.object(Loss, "forward", wait):
        try:
            _train(session, "failing")
        except RunError as error:
            tell("message", str(error))
            return
    raise RuntimeError("the capture did not fail")


def _train(
    session: Session,
    name: str,
    *changes: str,
    graphs: bool = True,
    home: Home = "device",
    observer: SilentObserver | None = None,
) -> RunResult:
    small = ("train.views=[0]", "train.epochs=2", "train.batch_size=4", "model.channels=[4,4,4,4]")
    few = small if session.miniature else ()
    request = TrainRequest(
        store=session.store(),
        recipe=load_recipe(RECIPE),
        changes=("datasets=null", "train.epochs=3", "train.patience=null", *few, *changes),
        output=session.scratch / "runs",
        name=name,
        hardware=_hardware(session, graphs=graphs, home=home),
    )
    return train(request, observer)


def _hardware(session: Session, *, graphs: bool = True, home: Home = "device") -> Hardware:
    return Hardware(session.device, loader=home, cuda_graphs=graphs and session.device == "cuda")


def _batches(run: RunResult) -> int:
    """Training batches per epoch."""
    return -(-run.sides["train"].samples // run.record.recipe.train.batch_size)


def _losses(run: RunResult) -> list[list[float]]:
    return [[epoch.train_loss, epoch.validation_loss] for epoch in run.history]


def _largest_difference(one: RunResult, other: RunResult) -> float:
    """Of the losses of all epochs, as a share of the first."""
    a, b = np.array(_losses(one)), np.array(_losses(other))
    return float(np.abs(a - b).max() / a.max())


def _tell_difference(tell: Tell, one: RunResult, other: RunResult) -> None:
    tell("losses of the first", _losses(one))
    tell("losses of the second", _losses(other))
    tell("largest difference, relative", _largest_difference(one, other))
