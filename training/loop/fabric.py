"""The processes that train one model together: a single one, or those started by ``torchrun``."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.distributed

from schemas.training import TrainSpec
from training.loader.source import Share

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class OneProcess:
    """Stands for Fabric where a single process trains without gradients: importing Fabric takes seconds."""

    device: torch.device
    is_global_zero: bool = True

    def broadcast(self, value: str) -> str:
        """The value itself: there is nobody to send it to."""
        return value


def processes_for(
    device: torch.device, spec: TrainSpec, *, linear: bool, environment: Mapping[str, str] = os.environ
) -> Fabric | OneProcess:
    """The processes that train a model on ``device``. ``linear`` : whether it is solved in one step."""
    if linear and int(environment.get("WORLD_SIZE", "1")) == 1:
        return OneProcess(device)
    return fabric_for(device, spec, environment)


def fabric_for(device: torch.device, spec: TrainSpec, environment: Mapping[str, str] = os.environ) -> Fabric:
    """Launch Lightning's Fabric on ``device``; under ``torchrun`` with distributed data parallel.

    Ranks communicate through gloo on CPUs, through NCCL on GPUs.
    """
    from lightning.fabric import Fabric  # takes two seconds

    ranks = int(environment.get("WORLD_SIZE", "1"))
    here = int(environment.get("LOCAL_WORLD_SIZE", "1"))
    hide_banners()
    fabric = Fabric(
        accelerator=device.type,
        devices=here,
        num_nodes=ranks // here,
        strategy="ddp" if ranks > 1 else "auto",
        precision="bf16-mixed" if spec.precision == "bf16" else "32-true",
    )
    fabric.launch()
    return fabric


def hide_banners() -> None:
    """Keep Lightning's information from users: a line per process, and advice that recipes decide on."""
    for name in ("lightning.fabric", "lightning.pytorch"):  # the second after its import, which sets it
        logging.getLogger(name).setLevel(logging.WARNING)


def share_of(fabric: Fabric) -> Share:
    """Which rows of each batch this process trains on."""
    return Share(fabric.global_rank, fabric.world_size)


def sum_over_ranks(fabric: Fabric, values: torch.Tensor) -> torch.Tensor:
    """Sum ``values`` over all processes; unchanged if there is only one."""
    if fabric.world_size == 1:
        return values
    summed = values.clone()
    torch.distributed.all_reduce(summed)
    return summed
