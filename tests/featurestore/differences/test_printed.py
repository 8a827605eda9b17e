"""What ``compare`` prints."""

import json
from pathlib import Path

import pytest

from featurestore.cli.text.compare import comparison_json, verdict
from featurestore.compare import compare
from featurestore.read.objects import Objects
from featurestore.store import FeatureStore
from tests.featurestore.differences.oracle import (
    VIEWS,
    by_clip,
    compared,
    measured,
    replace_values,
    text,
    with_hashes,
)


class TestPrinted:
    def test_the_last_line_is_the_verdict(self, plain: Path, single: Path) -> None:
        result = compared(plain, single)
        lines = text(result)
        assert lines[-1].startswith("different: specification; values differ by at most")
        mel = max(d.largest for key, d in measured(result).items() if key[0] == "mel")
        assert f"{mel:.3g} (mel)" in lines[-1]
        assert any("storage.dtype: float16 | float32" in line for line in lines)
        spot = max(measured(result).values(), key=lambda d: d.largest).spot
        assert spot is not None
        where = f"{spot.clip_id}, {spot.view}, {spot.coefficient}, {spot.frame}"
        assert any(where in line for line in lines)

    def test_only_the_values_differ(
        self, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As between two machines: B's numbers are changed as it is read."""
        monkeypatch.setattr(Objects, "hash_all", lambda *_: None)  # the hashes are not true here
        a, b = FeatureStore.open(plain), FeatureStore.open(with_hashes(plain, None, tmp_path))
        replace_values(b, 1000.0)
        result = compare(a, b)
        assert verdict(result).startswith("the same specification and clips; values differ by at most ")

    def test_long_lists_are_cut_and_json_has_all(self, plain: Path, tiny_store: Path) -> None:
        """560 clips are in the whole demo corpus alone."""
        result = compared(tiny_store, plain)
        lines = text(result)
        start = lines.index("560 clips only in A:")
        assert "… and 540 more; --json lists all" in lines[start + 21]
        values = json.loads(json.dumps(comparison_json(result), allow_nan=False))
        assert len(values["clips_only"]["a"]) == 560
        assert values["same"] is False
        assert len(values["values"]["measured"]) == 6

    def test_json_says_where_the_largest_error_is(self, plain: Path, single: Path) -> None:
        result = compared(plain, single)
        entry = comparison_json(result)["values"]["measured"][0]
        left = by_clip(plain, entry["feature"], VIEWS[entry["view"]])
        place = entry["at"]
        assert place["a"] == left[place["clip_id"]][place["coefficient"], place["frame"]]
