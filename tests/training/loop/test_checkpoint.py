from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from schemas.errors import RunError
from schemas.training import TrainSpec
from training.loop.average import AveragedWeights
from training.loop.checkpoint import BEST, LAST, Trainee, load_best, resume_last, save_best, save_last
from training.loop.optimise import optimiser_of, schedule_of
from training.loop.progress import TrainingProgress
from training.models.cnn_bilstm import CnnBiLstm
from training.runs.observer import EpochResult

MakeModel = Callable[[int], CnnBiLstm]
SPEC = TrainSpec(lr_patience=0)
ORDER = "sha256:order"
RESULT = EpochResult(1, 1.0, 0.1 + 0.2, 0.5, 0.5, 1e-3, 0.1, best=True)


def trainee(model: CnnBiLstm) -> Trainee:
    model = model.to(memory_format=torch.channels_last)
    optimizer = optimiser_of(model, SPEC)
    return Trainee(model, optimizer, schedule_of(optimizer, SPEC), AveragedWeights(model, 0.9))


def stepped(one: Trainee) -> Trainee:
    one.model(torch.randn(3, 1, 12, 20), torch.tensor([20, 20, 9])).sum().backward()
    one.optimizer.step()
    one.schedule.epoch_done(0.3)
    assert one.average is not None
    one.average.update(one.model)
    return one


def done(model: nn.Module) -> TrainingProgress:
    """TrainingProgress of one epoch, after which the model is as it is."""
    progress = TrainingProgress()
    progress.add(RESULT, model.state_dict())
    return progress


def test_everything_comes_back_and_in_the_parameters_memory_layout(
    tmp_path: Path, make_model: MakeModel
) -> None:
    before = stepped(trainee(make_model(0)))
    stood = done(before.model)
    stood.batch, stood.loss, stood.weight = 3, 0.1 + 0.2, 48.0
    save_last(tmp_path, before, stood, ORDER)
    after = trainee(make_model(1))
    progress = resume_last(tmp_path, after, ORDER)
    assert progress.history == [RESULT], "floats come back exactly"
    assert (progress.batch, progress.loss, progress.weight) == (3, 0.1 + 0.2, 48.0)
    assert after.schedule.to_json() == before.schedule.to_json()
    assert after.average is not None
    assert before.average is not None
    for name, tensor in before.average.state().items():
        assert torch.equal(after.average.state()[name], tensor), name
    for ours, theirs in zip(after.model.parameters(), before.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        for name in ("exp_avg", "exp_avg_sq"):
            moment = after.optimizer.state[ours][name]
            assert torch.equal(moment, before.optimizer.state[theirs][name])
            assert moment.stride() == ours.stride()
        assert after.optimizer.state[ours]["step"] == 1


def test_a_checkpoint_is_safetensors_with_json_and_no_pickle(tmp_path: Path, make_model: MakeModel) -> None:
    one = stepped(trainee(make_model(0)))
    save_last(tmp_path, one, done(one.model), ORDER)
    with safe_open(tmp_path / LAST, framework="np") as file:
        state = json.loads(file.metadata()["state"])
        names = list(file.keys())
    assert [row["epoch"] for row in state["history"]] == [1]
    assert {name.split(".")[0] for name in names} == {"model", "best", "adam", "average"}
    assert [path.name for path in tmp_path.iterdir()] == [LAST], "no temporary file stays behind"


def test_best_holds_the_weights_alone(tmp_path: Path, make_model: MakeModel) -> None:
    model, other = make_model(0), make_model(1)
    save_best(tmp_path, done(model))
    assert load_best(tmp_path, other) == 1
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_without_a_checkpoint_training_starts_anew(tmp_path: Path, make_model: MakeModel) -> None:
    assert resume_last(tmp_path, trainee(make_model(0)), ORDER).history == []


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_damaged_checkpoint_is_a_sentence(tmp_path: Path, make_model: MakeModel, damage: str) -> None:
    one = stepped(trainee(make_model(0)))
    save_last(tmp_path, one, done(one.model), ORDER)
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes({"cut": content[:-100], "noise": b"\xff" * 99, "empty": b""}[damage])
    with pytest.raises(RunError, match=r"cannot read .*last\.safetensors .*start a new run"):
        resume_last(tmp_path, trainee(make_model(0)), ORDER)


def test_a_checkpoint_of_another_model_is_a_sentence(tmp_path: Path, make_model: MakeModel) -> None:
    one = stepped(trainee(make_model(0)))
    save_last(tmp_path, one, done(one.model), ORDER)
    save_best(tmp_path, done(make_model(0)))
    other = CnnBiLstm(12, 20, 3, channels=(4, 8), pools=((2, 2), (2, 1)), hidden=8)
    with pytest.raises(RunError, match="of another model"):
        resume_last(tmp_path, trainee(other), ORDER)
    with pytest.raises(RunError, match="of another model"):
        load_best(tmp_path, other)


def test_best_weights_are_kept_as_they_were(tmp_path: Path, make_model: MakeModel) -> None:
    one = stepped(trainee(make_model(0)))
    progress = done(one.model)
    before = {name: tensor.clone() for name, tensor in one.model.state_dict().items()}
    stepped(one)
    progress.add(replace(RESULT, epoch=2, validation_loss=0.4, best=False), one.model.state_dict())
    save_last(tmp_path, one, progress, ORDER)
    found = resume_last(tmp_path, trainee(make_model(1)), ORDER)
    assert not torch.equal(one.model.state_dict()["output.weight"], before["output.weight"])
    assert found.best == RESULT
    for name, tensor in before.items():
        assert torch.equal(found.best_weights[name], tensor), name


def test_a_missing_best_is_a_sentence(tmp_path: Path, make_model: MakeModel) -> None:
    with pytest.raises(RunError, match=BEST):
        load_best(tmp_path, make_model(0))


def test_a_checkpoint_in_another_order_is_refused(tmp_path: Path, make_model: MakeModel) -> None:
    one = stepped(trainee(make_model(0)))
    save_last(tmp_path, one, done(one.model), ORDER)
    with pytest.raises(
        RunError, match="epoch 2 of a run with another store, split, set of views or batch size"
    ):
        resume_last(tmp_path, trainee(make_model(0)), "sha256:other")
