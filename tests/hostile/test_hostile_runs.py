"""Published runs from strangers: what their documents may say, and what of it reaches the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SerError
from schemas.model import canonical_digest
from tests.servers.web import Web
from training.runs.elsewhere import local_run
from training.sharing.pull_run import pull_run

CONTENT = b"{}"
ENTRY = {"bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
FACTS = {
    "kind": "run",
    "created": "2026-01-31T14:05:01+00:00",
    "store": f"sha256:{'0' * 64}",
    "model": "A",
    "tested": "speaker-independent",
    "headline": "UA",
    "value": 0.5,
}

NAMES = [
    "../run.json",
    "../../../../outside/run.json",
    "/tmp/run.json",
    "fold-1/../../run.json",
    "fold-1/fold-2/run.json",
    "fold-0/run.json",
    "tensorboard/events/../../../outside",
    "tensorboard/events/x",
    "tensorboard//events",
    "./run.json",
    "checkpoints\\best.safetensors",
    "run.json\n",
    "run.json\x1b[2J",
    "checkpoints/last.safetensors",
    "store.json",
    ".ssh/authorized_keys",
    "sitecustomize.py",
    "",
]


def _publish(web: Web, objects: dict[str, Any], change: Callable[[dict[str, Any]], None] = dict.copy) -> str:
    """A run as a stranger would forge it: every digest is right unless ``change`` breaks it."""
    body = {"format_version": 1, "facts": FACTS, "objects": objects}
    digest = canonical_digest(body)
    document = {"format": "ser-run", "digest": digest, **body}
    change(document)
    run = web.root / "runs" / "x"
    version = run / "versions" / digest[7:23]
    version.mkdir(parents=True)
    (version / "published.json").write_text(json.dumps(document))
    for name in ("run.json", "hashes.json"):
        (version / name).write_bytes(CONTENT)
    entry = {"id": digest[7:23], "digest": digest, "bytes": 4, "facts": FACTS}
    latest = {"format": "ser-run-versions", "format_version": 1, "latest": digest[7:23], "versions": [entry]}
    (run / "latest.json").write_text(json.dumps(latest))
    return f"{web.url}/runs/x"


def _require_refused(url: str, tmp_path: Path, cache: Path) -> str:
    before = {path for path in tmp_path.rglob("*") if cache not in (path, *path.parents)}
    with pytest.raises(SerError) as caught:
        local_run(url)
    with pytest.raises(SerError):
        pull_run(url, tmp_path / "copy")
    after = {path for path in tmp_path.rglob("*") if cache not in (path, *path.parents)}
    assert after == before
    assert not [path for path in cache.rglob("*") if path.is_file()]
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "\x1b" not in sentence
    return sentence


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_forged_run_is_fetched_if_nothing_is_wrong(web: Web, cache: Path) -> None:
    """Otherwise the tests below would prove nothing."""
    folder = local_run(_publish(web, {"run.json": ENTRY, "hashes.json": ENTRY}))
    assert sorted(path.name for path in folder.iterdir()) == ["hashes.json", "run.json"]
    assert folder.is_relative_to(cache)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_file_of_a_run_is_refused(name: str, web: Web, tmp_path: Path, cache: Path) -> None:
    url = _publish(web, {"run.json": ENTRY, "hashes.json": ENTRY, name: ENTRY})
    assert "not a file of a run" in _require_refused(url, tmp_path, cache)


@pytest.mark.parametrize(
    ("size", "sentence"),
    [(2**62, "possible"), (2**31 + 1, "possible"), (-1, "published.json"), (2**80, "published.json")],
)
def test_an_impossible_size_is_refused_before_anything_is_read(
    size: int, sentence: str, web: Web, tmp_path: Path, cache: Path
) -> None:
    url = _publish(web, {"run.json": {**ENTRY, "bytes": size}, "hashes.json": ENTRY})
    assert sentence in _require_refused(url, tmp_path, cache)
    assert not [path for _, path, _ in web.requests if path.endswith("run.json")]


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["facts"].update(model="another"),
        lambda document: document.update(digest=f"sha256:{'1' * 64}"),
        lambda document: document.update(more=1),
        lambda document: document["objects"].pop("hashes.json"),
        lambda document: document.update(objects=[]),
        lambda document: document.update(format="ser-feature-store"),
    ],
    ids=["facts", "digest", "key", "hashes", "list", "format"],
)
def test_a_document_that_does_not_fit_its_digest_is_refused(
    change: Callable[[dict[str, Any]], None], web: Web, tmp_path: Path, cache: Path
) -> None:
    def changed(document: dict[str, Any]) -> None:
        document["facts"] = dict(FACTS)
        change(document)

    _require_refused(_publish(web, {"run.json": ENTRY, "hashes.json": ENTRY}, changed), tmp_path, cache)


def test_a_run_without_hashes_is_refused(web: Web, tmp_path: Path, cache: Path) -> None:
    assert "lists no hashes.json" in _require_refused(_publish(web, {"run.json": ENTRY}), tmp_path, cache)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"format": "ser-run-versions"}', "", "\x00", '{"format": "x"}'],
    ids=["deep", "empty", "nothing", "null", "other"],
)
def test_a_damaged_list_of_versions_is_refused(text: str, web: Web, tmp_path: Path, cache: Path) -> None:
    url = _publish(web, {"run.json": ENTRY, "hashes.json": ENTRY})
    (web.root / "runs" / "x" / "latest.json").write_text(text)
    _require_refused(url, tmp_path, cache)
