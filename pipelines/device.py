"""Which device computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import DeviceError

if TYPE_CHECKING:
    import torch


def require_device_name(name: str) -> None:
    """Raise :class:`DeviceError` for what is no name of a device, without a look at what there is."""
    if name not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"unknown device '{name}'; choose auto, cpu or cuda")


def choose_device(name: str) -> torch.device:
    """``cpu``, ``cuda`` or ``auto`` (a GPU where there is one). Raises :class:`DeviceError`."""
    import torch

    require_device_name(name)
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no CUDA device is available; use --device auto or --device cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
