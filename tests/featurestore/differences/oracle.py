"""What ``compare`` finds, by numpy on arrays that zarr-python reads, and stores that differ as said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import zarr
from rich.console import Console

from featurestore.cli.text.compare import comparison_text
from featurestore.compare import Comparison, compare
from featurestore.differences.values import ValueDifference
from featurestore.format.layout import STORE_JSON
from featurestore.store import FeatureStore

MakeStore = Callable[..., Path]


def compared(a: Path, b: Path, **options: Any) -> Comparison:
    return compare(FeatureStore.open(a), FeatureStore.open(b), **options)


def measured(result: Comparison) -> dict[tuple[str, str], ValueDifference]:
    assert result.numbers is not None
    return {(d.feature, d.view): d for d in result.numbers.measured}


def text(result: Comparison) -> list[str]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(comparison_text(result, "a.zarr", "b.zarr"))
    return capture.get().rstrip().splitlines()


def by_clip(store: Path, feature: str, view: int) -> dict[str, npt.NDArray[np.float64]]:
    """Clip id → its numbers, read without the package."""
    values = zarr.open_group(store, mode="r")[f"demo/{feature}"][view].astype(np.float64)
    manifest = pd.read_parquet(store / "manifest.parquet")
    return {clip: values[row] for clip, row in zip(manifest["clip_id"], manifest["row"], strict=True)}


VIEWS = {"original": 0, "noise": 1, "fast": 2}


def require_the_errors_of_numpy(result: Comparison, a: Path, b: Path) -> None:
    for (feature, view), found in measured(result).items():
        left, right = by_clip(a, feature, VIEWS[view]), by_clip(b, feature, VIEWS[view])
        clips = [clip for clip in left if clip in right and np.isfinite(left[clip] + right[clip]).all()]
        errors = np.abs(np.stack([left[clip] - right[clip] for clip in clips]))
        assert found.clips == len(clips)
        assert found.differing == (errors.max(axis=(1, 2)) > 0).sum()
        assert found.largest == errors.max()
        assert found.rms == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)
        if found.differing:
            assert found.spot is not None
            place = (found.spot.coefficient, found.spot.frame)
            assert found.spot.view == view
            assert found.spot.a == left[found.spot.clip_id][place]
            assert found.spot.b == right[found.spot.clip_id][place]
            assert abs(found.spot.a - found.spot.b) == errors.max()
        else:
            assert found.spot is None


def damage(path: Path, fault: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    if fault == "lost":
        path.unlink()
        return
    path.write_bytes(
        {
            "flipped": data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :],
            "cut": data[:-1],
            "empty": b"",
            "longer": data + b" ",
        }[fault]
    )


def sections(recipe: str) -> list[str]:
    """Head, mel, rms, noise, fast and tail of the tiny recipe."""
    head, mel, rms, noise, rest = recipe.replace("[[views]]", "[[features]]").split("[[features]]\n")[:5]
    fast, tail = rest.split("[model]")
    return [
        head,
        *(f"[[features]]\n{part}" for part in (mel, rms)),
        *(f"[[views]]\n{part}" for part in (noise, fast)),
        f"[model]{tail}",
    ]


def replace_values(store: FeatureStore, value: float) -> None:
    """Let reading give zeros, and ``value`` at coefficient 5, frame 3 of the noisy mel of the first clip."""

    def read(clips: Any, views: Any, features: Any) -> dict[str, npt.NDArray[np.floating]]:
        (name,) = features
        shape = (1, len(clips), store.spec.coefficients[name], store.spec.frames)
        values = np.zeros(shape, store.spec.storage.dtype)
        if name == "mel" and tuple(views) == (1,):
            values[0, 0, 5, 3] = value
        return {name: values}

    store.read = read  # type: ignore[method-assign,assignment]


def with_hashes(store: Path, of: Path | None, folder: Path) -> Path:
    """A copy whose ``store.json`` gives its shards the hashes of another store or zeros, and its digest."""
    from featurestore.format.documents import StoreDocument
    from featurestore.format.seal import seal, unseal

    path = Path(shutil.copytree(store, folder / "copy.zarr"))
    document = json.loads(unseal((path / STORE_JSON).read_bytes())[0])
    other = json.loads((of / STORE_JSON).read_text())["objects"] if of else {}
    for name, entry in document["objects"].items():
        if "/c/" in name:
            document["objects"][name] = other.get(name) or {**entry, "sha256": "0" * 64}
    changed = StoreDocument.model_validate(document)
    document["digest"] = changed.computed_digest()
    (path / STORE_JSON).write_bytes(seal(json.dumps(document)))
    return path
