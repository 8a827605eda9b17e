"""The commands that share, as a person calls them."""

import json
from pathlib import Path

import pytest

from featurestore.store import FeatureStore
from tests.conftest import REPOSITORY
from tests.featurestore.cli.test_features_command import run


def test_a_team_shares_a_store(tiny_store: Path, tmp_path: Path) -> None:
    """Publish; look; get all, a part, and one file; each is what it says."""
    place, digest = tmp_path / "lab", FeatureStore.open(tiny_store).digest
    version = digest.removeprefix("sha256:")[:16]
    assert f"version {version} is the latest" in run("push", tiny_store, place).stdout
    again = json.loads(run("push", tiny_store, place, "--json").stdout)
    assert (again["bytes_sent"], again["digest"]) == (0, digest)
    assert "1 version" in run("info", place).stdout
    assert json.loads(run("info", place, "--json").stdout)["published"]["latest"] == version

    whole, part, packed = tmp_path / "whole.zarr", tmp_path / "part.zarr", tmp_path / "part.tar"
    assert json.loads(run("pull", place, whole, "--json").stdout)["digest"] == digest
    run("pull", f"{place}@{version[:6]}", part, "--features", "rms", "--views", "original,fast")
    assert f"part of {digest}" in run("info", part).stdout
    assert FeatureStore.open(part).spec.view_names == ("original", "fast")
    run("pack", part, packed)
    run("unpack", packed, tmp_path / "again.zarr")
    run("compare", part, tmp_path / "again.zarr")
    differing = run("compare", whole, part, status=1).stdout
    assert "features only in A: mel" in differing
    for store in (place, whole, part, tmp_path / "again.zarr"):
        assert run("verify", store, "--full").stdout.startswith("ok")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["pull", "nowhere", "x.zarr"], 1, "there is no feature store at nowhere"),
        (["push", "nowhere", "lab"], 1, "there is no feature store at nowhere"),
        (["pull", "STORE", "x.zarr", "--features", "chroma"], 2, "no feature 'chroma'; it has mel, rms"),
        (
            ["pull", "STORE", "x.zarr", "--views", "louder"],
            2,
            "no view 'louder'; it has original, noise, fast",
        ),
        (["pull", "STORE@0000", "x.zarr"], 1, "0000"),
        (["pull", "gopher://x/y", "x.zarr"], 1, "gopher"),
        (["pull", "http://127.0.0.1:9/x", "x.zarr"], 1, "127.0.0.1:9"),
        (["unpack", "nowhere.tar", "x.zarr"], 2, "nowhere.tar"),
        (["info", "zip::nowhere.zip"], 1, "zip"),
        (["build", "--workers", "2", "--scheduler", "tcp://x:1"], 2, "give only one of them"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str],
    status: int,
    sentence: str,
    tiny_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    result = run(*(a.replace("STORE", str(tiny_store)) for a in arguments), status=status)
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "x.zarr").exists()
