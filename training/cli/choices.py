"""Choices that the options of several commands share."""

from __future__ import annotations

from enum import StrEnum


class DeviceName(StrEnum):
    """Devices to compute on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class WeightingName(StrEnum):
    """Weights of averaged runs: :data:`training.metrics.ensemble_weights.Weighting`."""

    EQUAL = "equal"
    VALIDATION = "validation"


class LoaderName(StrEnum):
    """Where to keep samples: :data:`training.runs.request.LoaderChoice`."""

    AUTO = "auto"
    DEVICE = "device"
    RAM = "ram"
    STREAM = "stream"
