"""Folders of NumPy files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from featurestore.imports.arrays import read_folder
from schemas.errors import FeatureSourceError


def _write(folder: Path, **arrays: np.ndarray) -> Path:
    for name, array in arrays.items():
        path = folder / f"{name.replace('__', '/')}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    return folder


@pytest.mark.parametrize("shape", [(4,), (7, 4), (3, 7, 4)])
def test_arrays_are_those_that_numpy_wrote(tmp_path: Path, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    long, short = rng.normal(size=shape), rng.normal(size=shape)
    short = short[..., :5, :] if len(shape) > 1 else short
    source = read_folder(_write(tmp_path / "x", demo__a=long, b=short.astype(np.float32)))
    assert [entry.key for entry in source.entries] == ["b", "demo/a"]
    assert source.shape == shape
    np.testing.assert_array_equal(source.entries[1].load(), long)
    np.testing.assert_array_equal(source.entries[0].load(), short.astype(np.float32))
    files = sorted((tmp_path / "x").rglob("*.npy"))
    names = [path.relative_to(tmp_path / "x").as_posix() for path in files]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    listed = "".join(f"{digest}  {name}\n" for digest, name in zip(digests, names, strict=True))
    assert source.sha256 == hashlib.sha256(listed.encode()).hexdigest()


def test_a_file_that_changes_after_it_was_hashed_is_an_error(tmp_path: Path) -> None:
    source = read_folder(_write(tmp_path, a=np.zeros(3)))
    _write(tmp_path, a=np.ones(3))
    with pytest.raises(FeatureSourceError, match="was changed during the import"):
        source.entries[0].load()


def test_pickles_and_words_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FeatureSourceError, match="not a NumPy file of numbers"):
        read_folder(tmp_path)
    np.save(tmp_path / "a.npy", np.array(["x"]))
    with pytest.raises(FeatureSourceError, match="values of type <U1, not numbers"):
        read_folder(tmp_path)


def test_a_name_that_no_document_can_hold_is_refused(tmp_path: Path) -> None:
    np.save(_write(tmp_path, a=np.zeros(1)) / "b\udcff.npy", np.zeros(1))
    with pytest.raises(FeatureSourceError, match=r"'b\\udcff.npy' is not UTF-8; rename the file"):
        read_folder(tmp_path)


def test_impossible_and_unequal_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatureSourceError, match=r"has no \.npy files"):
        read_folder(tmp_path)
    with pytest.raises(FeatureSourceError, match=r"has the shape \(1, 1, 1, 1\)"):
        read_folder(_write(tmp_path / "deep", a=np.zeros((1, 1, 1, 1))))
    source = read_folder(_write(tmp_path / "mixed", a=np.zeros((4, 3)), b=np.zeros((4, 2))))
    with pytest.raises(FeatureSourceError, match=r"'a' has the shape \(4, 3\), but 'b' has \(4, 2\)"):
        source.shape  # noqa: B018 raises
