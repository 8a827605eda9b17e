"""Kaldi archives, written by Kaldi's own code (kaldi_native_io)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kaldi_native_io as kaldi
import numpy as np
import pytest

from featurestore.imports.kaldi import read_archives
from schemas.errors import FeatureSourceError

RNG = np.random.default_rng(3)
MATRICES = {f"clip{i}": RNG.normal(size=(i + 2, 3)).astype(np.float32) for i in range(3)}
VECTORS = {f"clip{i}": RNG.normal(size=4).astype(np.float32) for i in range(3)}


def _loaded(*paths: Path) -> dict[str, np.ndarray]:
    return {entry.key: entry.load() for entry in read_archives(paths).entries}


def _require_equal(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert list(found) == list(wanted)
    for key, array in wanted.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-6)
        assert found[key].shape == array.shape


def _write(writer: Any, arrays: dict[str, np.ndarray], dtype: str = "float32") -> None:
    with writer:
        for key, array in arrays.items():
            writer.write(key, array.astype(dtype))


@pytest.mark.parametrize("form", ["ark", "ark,t"])
@pytest.mark.parametrize(
    ("kind", "arrays", "dtype"),
    [
        (kaldi.FloatMatrixWriter, MATRICES, "float32"),
        (kaldi.DoubleMatrixWriter, MATRICES, "float64"),
        (kaldi.FloatVectorWriter, VECTORS, "float32"),
        (kaldi.DoubleVectorWriter, VECTORS, "float64"),
    ],
)
def test_archives_hold_what_kaldi_wrote(
    tmp_path: Path, form: str, kind: type, arrays: dict[str, np.ndarray], dtype: str
) -> None:
    path = tmp_path / "x.ark"
    _write(kind(f"{form}:{path}"), arrays, dtype)
    _require_equal(_loaded(path), arrays)


def test_a_list_points_into_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(kaldi.FloatMatrixWriter("ark,scp:x.ark,x.scp"), MATRICES)
    lines = Path("x.scp").read_text().splitlines()
    Path("x.scp").write_text("\n".join(lines[::-1]) + "\n")
    _require_equal(_loaded(Path("x.scp")), dict(reversed(MATRICES.items())))


def test_a_list_that_names_a_command_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.scp"
    path.write_text(f"clip0 touch {tmp_path}/ran |\n")
    with pytest.raises(FeatureSourceError, match=r"line 1 .* no commands and no ranges"):
        read_archives([path])
    assert not (tmp_path / "ran").exists()


def test_compressed_damaged_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ark"
    _write(kaldi.FloatMatrixWriter(f"ark:{path}"), MATRICES)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(FeatureSourceError, match=r"'clip2' in .* is cut off"):
        read_archives([path])
    path.write_bytes(b"clip2 \0BFM " + 2 * b"\4\xff\xff\xff\x7f" + bytes(8))  # 16 EB
    with pytest.raises(FeatureSourceError, match=r"'clip2' in .* is cut off"):
        read_archives([path])
    path.write_bytes(whole.replace(b"FM ", b"CM ", 1))
    with pytest.raises(FeatureSourceError, match="compressed; write it again with copy-feats"):
        read_archives([path])
    path.write_bytes(whole + whole)
    with pytest.raises(FeatureSourceError, match="'clip0' appears twice"):
        read_archives([path])
    path.write_text("no archive")
    with pytest.raises(FeatureSourceError, match="is not a Kaldi archive"):
        read_archives([path])
