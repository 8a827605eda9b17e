"""Features that no pipeline computes, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featurestore.store import FeatureStore


def vectors_of(store: Path, width: int = 5) -> pd.DataFrame:
    """A number per clip and column, exact in float16, under the clip's id."""
    ids = FeatureStore.open(store).manifest["clip_id"].tolist()
    numbers = np.random.default_rng(len(ids)).integers(-999, 999, (len(ids), width))
    return pd.DataFrame(numbers, index=pd.Index(ids, name="clip_id"), columns=[f"f{i}" for i in range(width)])


@pytest.fixture
def table(small_store: Path, tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """A CSV with vectors of all clips of the small store, and what it holds."""
    frame = vectors_of(small_store)
    path = tmp_path / "egemaps.csv"
    frame.to_csv(path)
    return path, frame
