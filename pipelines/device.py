"""Choice of the device that computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DeviceError

if TYPE_CHECKING:
    import torch


def require_device_name(name: str) -> None:
    """Raise :class:`DeviceError` for an unknown device name, without checking which devices are available."""
    if name not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"unknown device '{name}'; choose auto, cpu or cuda")


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
