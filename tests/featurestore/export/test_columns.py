from __future__ import annotations

from pathlib import Path

from featurestore.export.columns import column_names, is_pooled
from featurestore.store import FeatureStore
from schemas.opensmile import OpenSmileSpec


def test_functionals_of_opensmile_keep_their_names_and_have_no_deviation(small_store: Path) -> None:
    spec = FeatureStore.open(small_store).spec
    feature = OpenSmileSpec(name="egemaps", version="2.6.0", columns=("F0_amean", "loudness_amean"))
    spec = spec.model_copy(update={"features": (*spec.features, feature)})
    assert column_names(spec, "egemaps") == ("egemaps.F0_amean", "egemaps.loudness_amean")
    assert is_pooled(spec, "egemaps")
    assert not is_pooled(spec, "rms")
