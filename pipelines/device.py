"""Choice of the device that computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from schemas.errors import DeviceError

if TYPE_CHECKING:
    import torch


DeviceKind = Literal["cpu", "cuda"]

_GPU_FILES = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvmap", "/dev/dxg", "/dev/kfd")))
"""One of them exists if a GPU driver is loaded: on a server, an embedded board, in WSL, and AMD's."""


def require_device_name(name: str) -> None:
    """Raise :class:`DeviceError` for an unknown device name, without checking which devices are available."""
    if name not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"unknown device '{name}'; choose auto, cpu or cuda")


def may_use_gpu(name: str) -> bool:
    """Whether a device name may mean a GPU, without the seconds that torch takes to find out."""
    return name == "cuda" or (name == "auto" and any(file.exists() for file in _GPU_FILES))


def choose_device_kind(name: str) -> DeviceKind:
    """The kind of :func:`choose_device`; loads torch only if there may be a GPU. Raises the same."""
    require_device_name(name)
    if not may_use_gpu(name):
        return "cpu"
    return "cuda" if choose_device(name).type == "cuda" else "cpu"


def choose_device(name: str) -> torch.device:
    """Device by name: ``cpu``, ``cuda`` or ``auto`` (a GPU if available). Raises :class:`DeviceError`.

    A GPU has its number, as the device of a tensor has: ``cuda`` alone is not equal to ``cuda:0``.
    """
    import torch

    require_device_name(name)
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no CUDA device is available; use --device auto or --device cpu")
    return torch.device("cuda", 0) if available and name != "cpu" else torch.device("cpu")
