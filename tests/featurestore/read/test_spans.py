from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurestore import store as store_module
from featurestore.read.spans import Span
from featurestore.store import FeatureStore
from schemas.errors import UsageError

FEATURES = ("rms", "mel")


@pytest.fixture(params=["zarrs.ZarrsCodecPipeline", "zarr.core.codec_pipeline.BatchedCodecPipeline"])
def store(request: pytest.FixtureRequest, tiny_store: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    """Read by both codec pipelines; the Rust one may leave nothing to Python."""
    monkeypatch.setattr(store_module, "RUST_CODECS", request.param)
    with zarr.config.set({"codec_pipeline.strict": True}):
        opened = FeatureStore.open(tiny_store)
        opened.span_reader(FEATURES)
    return opened


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_spans_lie_where_they_were_to_and_nothing_else_is_touched(
    store: FeatureStore, data: st.DataObject
) -> None:
    clips = store.manifest[store.manifest["dataset"] == "demo"]
    rows, shard = len(clips), store.spec.storage.shard_clips
    spans, at = [], data.draw(st.integers(0, 3))
    for _ in range(data.draw(st.integers(0, 6))):
        start = data.draw(st.integers(0, rows - 1))
        last = min(rows, (start // shard + 1) * shard)
        stop = data.draw(st.integers(start + 1, min(last, start + 70)))
        spans.append(Span("demo", data.draw(st.integers(0, 2)), start, stop, at))
        at += stop - start + data.draw(st.integers(0, 2))
    out = np.full((at + 2, 17, store.spec.frames), 7, np.float16)
    store.span_reader(FEATURES).read_into(out, data.draw(st.permutations(spans)))
    expected = np.full_like(out, 7)
    for span in spans:
        positions = clips.index[(clips["row"] >= span.start) & (clips["row"] < span.stop)]
        arrays = store.read(positions.to_numpy(), views=(span.view,), features=FEATURES)
        expected[span.at : span.at + len(span)] = np.concatenate([arrays[f][0] for f in FEATURES], axis=1)
    np.testing.assert_array_equal(out, expected)


def test_a_feature_that_the_store_does_not_hold_is_refused(tiny_store: Path) -> None:
    with pytest.raises(UsageError, match="no feature 'mfcc'"):
        FeatureStore.open(tiny_store).span_reader(("mfcc",))
