"""Saved encoders, made once per session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.encoders.weights import EncoderWeights, find_weights
from tests.pipelines.encoders.saved import KINDS, make_network, save
from tests.published_encoders import require_whisper

if TYPE_CHECKING:  # the class loads for nine seconds, and every process of a test run collects the tests
    from transformers import PreTrainedModel

Saved = Callable[[str], "tuple[PreTrainedModel, Path]"]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Name of a kind → the network of ``transformers`` and the folder that it was saved in (read-only)."""
    made: dict[str, tuple[PreTrainedModel, Path]] = {}

    def of(name: str) -> tuple[PreTrainedModel, Path]:
        if name not in made:
            network = make_network(KINDS[name])
            folder = tmp_path_factory.mktemp("encoder")
            made[name] = network, save(network, folder, normalise=KINDS[name].normalise)
        return made[name]

    return of


@pytest.fixture(scope="session")
def whisper_tiny() -> EncoderWeights:
    """The published whisper-tiny.en; a test that needs it is skipped on a machine without it."""
    return find_weights(require_whisper("whisper-tiny.en"))
