"""Where other files may be written: nowhere within a store, however the path is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from featurestore.format.outside import require_apart, require_outside
from featurestore.places.choose import place_at
from schemas.errors import UsageError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """``lab/s.zarr`` with the file that makes it a store, beside other folders."""
    folder = tmp_path / "lab" / "s.zarr"
    (folder / "demo").mkdir(parents=True)
    (folder / "store.json").write_text("{}")
    (tmp_path / "other").mkdir()
    return folder


def _link(to: Path, at: Path) -> Path:
    at.symlink_to(to)
    return at


INSIDE: dict[str, Callable[[Path, Path], Path]] = {
    "a file": lambda store, _: store / "model.onnx",
    "a file in a corpus's folder": lambda store, _: store / "demo" / "model.onnx",
    "in folders to be made": lambda store, _: store / "a" / "b" / "c",
    "through ..": lambda store, root: root / "other" / ".." / "lab" / "s.zarr" / "x",
    "through a link to the store": lambda store, root: _link(store, root / "other" / "s") / "x",
    "through a link to a folder of it": lambda store, root: _link(store / "demo", root / "other" / "d") / "x",
    "through a link to its parent": lambda store, root: _link(store.parent, root / "p") / "s.zarr" / "x",
    "a link to a file of it": lambda store, root: _link(store / "store.json", root / "other" / "f"),
    "a link to a file to be made": lambda store, root: _link(store / "new", root / "other" / "f"),
    "a link in the store to a place outside": lambda store, root: _link(root / "other" / "f", store / "f"),
}
inside = pytest.mark.parametrize("kind", INSIDE)


@inside
def test_what_leads_into_a_store_is_refused(kind: str, store: Path, tmp_path: Path) -> None:
    path = INSIDE[kind](store, tmp_path)
    for check in (lambda: require_outside(path, "--out"), lambda: require_apart(place_at(path), "--out")):
        with pytest.raises(UsageError, match="is inside the feature store") as caught:
            check()
        assert f"--out {path}" in str(caught.value)
        assert str(store.resolve()) in str(caught.value)


def test_the_working_folder_may_be_inside_a_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store / "demo")
    with pytest.raises(UsageError, match="inside the feature store"):
        require_outside(Path("model.onnx"), "")
    require_outside(Path("../../model.onnx"), "")


def test_a_store_named_by_a_file_url(store: Path) -> None:
    for url in (
        f"file://{store}/inner.zarr",
        f"file://localhost{store}/demo/inner.zarr",
        f"local://{store}/x",
    ):
        with pytest.raises(UsageError, match="inside the feature store"):
            require_apart(place_at(url), "--out")
    require_apart(place_at(f"file://{store}"), "--out")
    for text in (f"file://{store}/model.onnx", "s3://lab/model.onnx"):
        with pytest.raises(UsageError, match="is a URL; give a path"):
            require_outside(Path(text), "--out")


def test_a_store_may_be_built_again_but_holds_no_other_file(store: Path) -> None:
    require_apart(place_at(store), "--out")
    with pytest.raises(UsageError, match="inside the feature store"):
        require_outside(store, "--out")


@pytest.mark.parametrize(
    "files",
    [("zarr.json", "records/demo/corpus.json"), ("store.json", "records/demo/corpus.json")],
    ids=["not finished", "without metadata"],
)
def test_every_state_of_a_store_counts(files: tuple[str, ...], tmp_path: Path) -> None:
    for name in files:
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).touch()
    with pytest.raises(UsageError, match="inside the feature store"):
        require_outside(tmp_path / "s" / "x", "--out")


def test_a_published_place_holds_its_versions_alone(tmp_path: Path) -> None:
    (tmp_path / "p" / "versions" / "1a2b").mkdir(parents=True)
    (tmp_path / "p" / "latest.json").touch()
    for name in ("versions/x", "versions/1a2b/x"):
        with pytest.raises(UsageError, match="inside the feature store"):
            require_outside(tmp_path / "p" / name, "")
    require_outside(tmp_path / "p" / "report.html", "")


def test_other_places_are_allowed(store: Path, tmp_path: Path) -> None:
    (tmp_path / "zarr" / "records").mkdir(parents=True)
    (tmp_path / "array.zarr").mkdir()
    (tmp_path / "array.zarr" / "zarr.json").touch()
    (tmp_path / "loop").symlink_to("loop")
    for path in (
        tmp_path / "x",
        store.parent / "x",
        store / ".." / "x",
        store.with_name("s.zarr.tar"),
        tmp_path / "zarr" / "x",
        tmp_path / "array.zarr" / "x",
        tmp_path / "loop" / "x",
        tmp_path / "versions" / "x",
        Path("x"),
        Path("C:model"),
    ):
        require_outside(path, "--out")
        require_apart(place_at(path), "--out")
