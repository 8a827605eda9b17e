"""A build that takes the way of a GPU, with a pipeline that computes its batches on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from featurestore.compute import execution
from pipelines.pipeline import Pipeline
from schemas.spec import StoreSpec


class PaddedBatches(Pipeline):
    """Batches of 16, as on a GPU."""

    def __init__(self, spec: StoreSpec, device: torch.device, encoders: Mapping[str, Path]) -> None:
        super().__init__(spec, torch.device("cpu"), encoders)
        self.clips_at_once = 16


def compute_in_batches(
    monkeypatch: pytest.MonkeyPatch, pipeline: type[PaddedBatches] = PaddedBatches
) -> None:
    """Have builds of this test find a GPU, and compute with ``pipeline``."""
    monkeypatch.setattr("pipelines.device._GPU_FILES", (Path("/"),))
    for module in ("pipelines.device", "featurestore.compute.execution"):
        monkeypatch.setattr(f"{module}.choose_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr("pipelines.pipeline.Pipeline", pipeline)
    monkeypatch.setattr(execution, "_pipeline", execution._pipeline.__wrapped__)  # not that of another test
