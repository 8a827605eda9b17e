"""Two ranks of a gloo group train as one process does: outputs, gradients and running statistics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from schemas.architecture import CnnBiLstmSpec, CnnSpec, ConformerSpec, FrameHeadSpec, TransformerSpec
from schemas.named_models import MODELS
from training.models import StateLayout, build_model, share_rows

WORLD, COEFFICIENTS, FRAMES, CLASSES = 2, 16, 24, 5
TOTALS = (5, 4, 1)
"""Rows of the global batches: uneven, even, and one that leaves a rank without rows."""

ENCODERS = ("ravdess-transformer", "ravdess-conformer")
NAMES = ("A", "ravdess-attention", "tess-delta", "three-corpora-cnn", "frame-head", *ENCODERS)

STATES = StateLayout("encoder", layers=(1, 2), statistics=1, width=COEFFICIENTS // 2)


def network(name: str) -> nn.Module:
    torch.manual_seed(1)
    spec = MODELS[name]
    if isinstance(spec, FrameHeadSpec):
        small = {"width": 8, "blocks": 1, "heads": 2, "inner": 6, "dense": (6,)}
        return build_model(spec.model_copy(update=small), COEFFICIENTS, FRAMES, CLASSES, (STATES,))
    assert isinstance(spec, CnnBiLstmSpec | CnnSpec | TransformerSpec | ConformerSpec)
    small = {"channels": (4,) * len(spec.channels), "dense": spec.dense and (6,) * len(spec.dense)}
    small["pools"] = ((2, 2), *((1, 1),) * (len(spec.channels) - 1))
    if isinstance(spec, CnnBiLstmSpec):
        small["hidden"] = 6
    if isinstance(spec, TransformerSpec | ConformerSpec):
        small |= {"width": 8, "encoder_blocks": 1, "heads": 2, "inner": 6}
    return build_model(spec.model_copy(update=small), COEFFICIENTS, FRAMES, CLASSES)


def batch(total: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(total)
    x = 2 + torch.randn(total, 1, COEFFICIENTS, FRAMES, generator=generator)
    valid = torch.randint(6, FRAMES + 1, (total,), generator=generator)
    return x, valid, torch.randint(CLASSES, (total,), generator=generator)


def trained(model: nn.Module, runner: nn.Module, rank: int, world: int) -> dict[str, Tensor]:
    """What each batch gives: logits of the rank's rows, and then gradients, of the mean loss of all rows."""
    found = {}
    for total in TOTALS:
        x, valid, targets = (part[rank::world] for part in batch(total))
        share_rows(model, total, rank, world)
        torch.manual_seed(total)
        runner.zero_grad()
        logits = runner(x, valid)
        (F.cross_entropy(logits, targets, reduction="sum") * world / total).backward()
        found[f"{total} logits"] = logits.detach().clone()
        for name, parameter in model.named_parameters():
            found[f"{total} gradient {name}"] = parameter.grad.clone()
    return found | {f"buffer {name}": value.clone() for name, value in model.named_buffers()}


def one_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{folder}/group", rank=rank, world_size=WORLD)
    found = {}
    for name in NAMES:
        model = network(name)
        for key, value in trained(model, DistributedDataParallel(model), rank, WORLD).items():
            found[f"{name}: {key}"] = value
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(one_rank, (str(folder),), nprocs=WORLD)
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(WORLD)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_train_as_one_process_does(name: str, ranks: list[dict[str, Tensor]]) -> None:
    model = network(name)
    alone = trained(model, model, 0, 1)
    assert any("gradient" in key for key in alone)
    for rank, found in enumerate(ranks):
        for key, expected in alone.items():
            rows = expected[rank::WORLD] if "logits" in key else expected
            torch.testing.assert_close(
                found[f"{name}: {key}"],
                rows,
                rtol=1e-3,
                atol=2e-5,
                msg=lambda text, key=key: f"{key}: {text}",
            )


@pytest.mark.slow
def test_dropout_was_on(ranks: list[dict[str, Tensor]]) -> None:
    """Else the other test would not tell whether ranks draw alike."""
    model = network("A")
    alone = trained(model, model, 0, 1)
    torch.manual_seed(99)
    share_rows(model, 5, 0, 1)
    x, valid, _ = batch(5)
    assert not torch.allclose(network("A")(x, valid), alone["5 logits"], atol=1e-2)
    assert ranks
