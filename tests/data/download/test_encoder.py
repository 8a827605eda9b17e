"""``ser-features encoder get`` against a server that speaks as Hugging Face does."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.encoders.weights import find_weights
from tests.commands import Completed, run
from tests.data.download.publisher import Publisher

Serve = Callable[[Publisher], Publisher]
REVISION = "0123456789abcdef0123456789abcdef01234567"
HUB_ID = "openai/whisper-tiny"


def hub(files: dict[str, bytes]) -> Publisher:
    """A model as the hub lists and serves it: large files with SHA-256, small ones with git's hash."""
    siblings = []
    for name, data in files.items():
        entry = {"rfilename": name, "size": len(data)}
        entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if not name.endswith(".json"):
            entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        siblings.append(entry)
    listing = json.dumps({"sha": REVISION, "siblings": siblings}).encode()
    bodies = {f"/{HUB_ID}/resolve/{REVISION}/{name}": data for name, data in files.items()}
    return Publisher({f"/api/models/{HUB_ID}": listing, **bodies})


@pytest.fixture
def files(encoder: Path) -> dict[str, bytes]:
    found = {name: (encoder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    return {**found, "README.md": b"# A card", "pytorch_model.bin": b"the same again"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def get(
    server: Publisher, models: Path, *options: str, name: str = "whisper-tiny", status: int = 0
) -> Completed:
    environment = {"HF_ENDPOINT": server.url, "SER_MODELS": str(models)}
    return run("ser-features", "encoder", "get", name, *options, env=environment, status=status)


def test_weights_arrive_complete_and_usable(serve: Serve, files: dict[str, bytes], models: Path) -> None:
    server = serve(hub(files))
    said = get(server, models, "--accept-licence")
    assert "Apache-2.0" in said.stderr
    assert f"{len(files['model.safetensors']) / 1e6:,.0f} MB" in said.stderr
    weights = find_weights(models / "whisper-tiny")
    assert weights.sha256 == hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert weights.sha256 in said.stdout
    assert {path.name for path in models.rglob("*") if path.is_file()} == {"config.json", "model.safetensors"}
    asked = len(server.requests)
    assert "is already in" in get(server, models).stdout
    assert len(server.requests) == asked


def test_a_broken_connection_is_resumed(serve: Serve, files: dict[str, bytes], models: Path) -> None:
    server = hub(files)
    server.only, server.faults = "model.safetensors", deque(["cut", None])
    get(serve(server), models, "--accept-licence")
    assert find_weights(models / "whisper-tiny").bytes == len(files["model.safetensors"])
    ranges = [request.headers.get("Range") for request in server.asked("model.safetensors")]
    assert ranges[0] is None
    assert str(ranges[1]).startswith("bytes=")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_bytes_are_refused(serve: Serve, files: dict[str, bytes], models: Path, name: str) -> None:
    server = hub(files)
    server.only, server.faults = name, deque(["other", "other"])
    said = get(serve(server), models, "--accept-licence", status=1)
    assert "checksum" in said.stderr or "is not the file that its publisher lists" in said.stderr
    assert not (models / "whisper-tiny").exists()


def test_shards_and_their_index(serve: Serve, files: dict[str, bytes], models: Path, encoder: Path) -> None:
    shards = {f"model-0000{n}-of-00002.safetensors": b"x" * 100 * n for n in (1, 2)}
    index = json.dumps({"weight_map": {str(n): name for n, name in enumerate(shards)}}).encode()
    server = hub({"config.json": files["config.json"], "model.safetensors.index.json": index, **shards})
    get(serve(server), models, "--accept-licence")
    assert [path.name for path in find_weights(models / "whisper-tiny").files] == sorted(shards)


def test_the_licence_is_accepted_first(serve: Serve, files: dict[str, bytes], models: Path) -> None:
    server = serve(hub(files))
    said = get(server, models, status=2)
    assert "the licence of whisper-tiny must be accepted" in said.stderr
    assert server.asked("model.safetensors") == []
    assert not models.exists()


def test_a_model_without_weights(serve: Serve, models: Path) -> None:
    said = get(serve(hub({"config.json": b"{}"})), models, "--accept-licence", status=1)
    assert "lists neither model.safetensors nor pytorch_model.bin" in said.stderr


def test_an_unknown_name(models: Path, serve: Serve) -> None:
    said = get(serve(hub({})), models, name="whisper-tini", status=2)
    assert "did you mean 'whisper-tiny'?" in said.stderr


def test_the_list_shows_what_is_here(encoder: Path, tmp_path: Path) -> None:
    environment = {"SER_MODELS": str(tmp_path / "none"), "HF_HUB_CACHE": str(tmp_path / "cache")}
    shown = run("ser-features", "encoders", "--encoder", f"mine={encoder}", "--json", env=environment)
    listed = {entry["name"]: entry for entry in json.loads(shown.stdout)}
    assert listed["mine"]["sha256"] == find_weights(encoder).sha256
    assert listed["mine"]["layers"] == 3
    assert listed["whisper-base"]["folder"] is None
    assert listed["whisper-base"]["layers"] == 6
    text = run(
        "ser-features", "encoders", "--encoder", f"mine={encoder}", "--measure", env=environment
    ).stdout
    assert "for a clip of 2 s" in text
    assert "ser-features encoder get whisper-base" in text
