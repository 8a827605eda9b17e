"""Documents whose every byte is vouched for by their own last line."""

from __future__ import annotations

from pathlib import Path

from featurestore.format.layout import STORE_JSON
from featurestore.verify import verify
from schemas.errors import SerError
from tests.faults.conftest import Sound, copied


def test_a_flipped_bit_among_the_library_versions(sound: Sound, tmp_path: Path) -> None:
    out = copied(sound.path, tmp_path / "s.zarr")
    text = (out / STORE_JSON).read_text()
    before, after = '"torch": "2.', '"torch": "3.'
    assert before in text
    (out / STORE_JSON).write_text(text.replace(before, after))
    try:
        found = bool(verify(out, full=True).findings)
    except SerError:
        found = True
    assert found


def test_a_unit_record_that_rots_while_the_store_is_unfinished(sound: Sound, tmp_path: Path) -> None:
    """Killed while finalising, and before the next build a letter of an emotion changes."""
    out = copied(sound.path, tmp_path / "s.zarr")
    (out / STORE_JSON).unlink()
    record = out / "records/demo/00001.json"
    text = record.read_text()
    assert '"emotion": "angry"' in text
    record.write_text(text.replace('"emotion": "angry"', '"emotion": "happy"', 1))
    assert sound.build(out, check=True).document.digest == sound.digest
