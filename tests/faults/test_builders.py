"""Several builds of one store at the same time: one builds, the others are told so, nothing is mixed up."""

from __future__ import annotations

import shutil
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from featurestore.build import BuildRequest, build
from featurestore.verify import verify
from schemas.errors import StoreBusyError
from tests.faults.children import Children
from tests.faults.conftest import Sound


def build_at_once(request: BuildRequest, barrier: Any) -> str:
    barrier.wait()
    return build(request).document.digest


@pytest.mark.slow
def test_builds_of_the_same_corpus(sound: Sound, children: Children, tmp_path: Path) -> None:
    for attempt in range(3):
        out = tmp_path / f"{attempt}.zarr"
        answers = _at_once(children, [sound.request(out)] * 3)
        _one_at_least_built(answers, {sound.digest})
        assert sound.build(out).document.digest == sound.digest
        assert verify(out, full=True).ok


def test_builds_of_other_corpora(sound: Sound, children: Children, tmp_path: Path) -> None:
    """Whoever comes first; who was turned away runs again, and then the store holds both corpora."""
    folders = {}
    for name, words in {"one": ("angry", "sad"), "two": ("happy", "neutral")}.items():
        for word in words:
            folder = tmp_path / name / word
            folder.mkdir(parents=True)
            for path in (sound.corpora / "demo").glob(f"f0?/*_s1_{word}_*"):
                shutil.copy(path, folder)
        folders[name] = f"{name}={tmp_path / name}"
    truth = tmp_path / "truth.zarr"
    for corpus in folders.values():
        whole = build(sound.request(truth, datasets=corpus)).document
    for attempt in range(3):
        out = tmp_path / f"{attempt}.zarr"
        requests = [sound.request(out, datasets=corpus) for corpus in folders.values()]
        answers = _at_once(children, requests)
        assert all(isinstance(answer, str | StoreBusyError) for answer in answers), answers
        assert any(isinstance(answer, str) for answer in answers), answers
        for request in requests:
            document = build(request).document
        assert document.digest == whole.digest, attempt
        assert verify(out, full=True).ok


def _at_once(children: Children, requests: list[BuildRequest]) -> list[Any]:
    with get_context("forkserver").Manager() as manager:
        barrier = manager.Barrier(len(requests))
        started = [children.start(build_at_once, request, barrier) for request in requests]
        return [child.result() for child in started]


def _one_at_least_built(answers: list[Any], digests: set[str]) -> None:
    built = [answer for answer in answers if isinstance(answer, str)]
    assert set(built) == digests, answers
    for answer in answers:
        if not isinstance(answer, str):
            assert isinstance(answer, StoreBusyError), answer
            assert "another process is building" in str(answer)
            assert "wait until it ends, or stop it" in str(answer)
