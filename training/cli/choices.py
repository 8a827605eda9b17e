"""Choices that the options of several commands share."""

from __future__ import annotations

from enum import StrEnum


class DeviceName(StrEnum):
    """Devices to choose from."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class LoaderName(StrEnum):
    """Places for samples to choose from."""

    AUTO = "auto"
    DEVICE = "device"
    RAM = "ram"
    STREAM = "stream"
