"""Which device computes."""

from __future__ import annotations

import torch

from schemas.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """``cpu``, ``cuda`` or ``auto`` (a GPU where there is one). Raises :class:`DeviceError`."""
    if name not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"unknown device '{name}'; choose auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("no CUDA device is available; use --device auto or --device cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
