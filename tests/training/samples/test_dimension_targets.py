from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.errors import RunError
from schemas.labels import Dimension
from training.samples.dimensions import dimension_targets, dimensions_of


def manifest_of(make_manifest: Any, **columns: list[Any]) -> Any:
    """Manifest of four clips of corpora x and y, of which the last is bad."""
    clips = [{"speaker": name, "status": "ok"} for name in ("x/a", "x/b", "y/c", "y/d")]
    clips[3]["status"] = "bad"
    return make_manifest(clips).assign(**columns)


def test_clips_without_all_values_are_left_out_and_counted_once(make_manifest: Any) -> None:
    manifest = manifest_of(make_manifest, valence=[1.0, None, 3.0, None], arousal=[5.0, 6.0, 7.0, None])
    found = dimension_targets(manifest, ["valence", "arousal"])
    np.testing.assert_array_equal(found.kept, [True, False, True, False])
    np.testing.assert_array_equal(found.values[[0, 2]], [[1, 5], [3, 7]])
    assert np.isnan(found.values[[1, 3]]).all()
    why = found.selection
    assert (why.bad, found.unknown, why.other_corpus, why.unmet) == (1, 1, 0, 0)
    assert found.notices == (
        "left out 1 of 4 clips: marked bad in the store",
        "left out 1 of 4 clips: without a value of valence or arousal",
    )
    some = dimension_targets(manifest, ["arousal"], where="arousal > 5", datasets=["x"])
    np.testing.assert_array_equal(some.kept, [False, True, False, False])
    assert (some.selection.bad, some.selection.other_corpus, some.selection.unmet) == (0, 2, 1)


def test_the_dimensions_of_a_store_are_those_with_values_of_usable_clips(make_manifest: Any) -> None:
    manifest = manifest_of(
        make_manifest, dominance=[None, None, 1.0, 1.0], valence=[None] * 3 + [2.0], arousal=[1.0] * 4
    )
    assert dimensions_of(manifest) == (Dimension.AROUSAL, Dimension.DOMINANCE)
    assert dimensions_of(manifest, datasets=["x"]) == (Dimension.AROUSAL,)


def test_a_manifest_without_values_is_refused(make_manifest: Any) -> None:
    with pytest.raises(RunError, match="needs clips with values of valence, arousal, dominance"):
        dimensions_of(manifest_of(make_manifest))
    with pytest.raises(RunError, match=r"no clips are left for the dimensions valence \(.*3 of 4"):
        dimension_targets(manifest_of(make_manifest), ["valence"])
