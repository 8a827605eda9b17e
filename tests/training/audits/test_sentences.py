"""Sentences that training and test share, against plain sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import RunError
from tests.training.claims import claim
from tests.training.conftest import MakeManifest
from training.audits.sentences import SharedSentences, shared_sentences
from training.audits.stored import read_audit
from training.runs.run import RunFolder


def test_sentences_are_counted_within_each_corpus(make_manifest: MakeManifest) -> None:
    spoken = [
        ("a/1", "x", "train"), ("a/1", "y", "train"), ("a/2", "x", "test"), ("a/2", "z", "test"),
        ("b/1", "x", "test"), ("b/1", "z", "train"), ("c/1", "", "test"), ("c/2", "", "train"),
    ]  # fmt: skip
    manifest = make_manifest({"speaker": speaker, "sentence": said} for speaker, said, _ in spoken)
    on = {name: [c for c, s in zip(manifest["clip_id"], spoken, strict=True) if s[2] == name] for name in
          ("train", "test")}  # fmt: skip
    found = shared_sentences(manifest, on["train"], on["test"])
    expected = []
    for corpus in "abc":
        sides = {
            side: {said for speaker, said, of in spoken if of == side and speaker[0] == corpus and said}
            for side in ("train", "test")
        }
        both = sides["train"] & sides["test"]
        expected.append(SharedSentences((corpus,), len(sides["test"]), len(both)))
    assert list(found) == expected
    assert [(each.tested, each.heard) for each in found] == [(2, 1), (1, 0), (0, 0)]


def test_training_clips_that_are_not_in_the_store_leave_it_unknown(make_manifest: MakeManifest) -> None:
    manifest = make_manifest({"speaker": f"{name}/1", "sentence": "x"} for name in "ab")
    found = shared_sentences(manifest, ["a/elsewhere"], manifest["clip_id"])
    assert [each.heard for each in found] == [None, 0]


def test_older_audits_give_their_totals(tmp_path: Path) -> None:
    values = {"protocol": "speaker", "clean": True, "clips": {}, "speakers": {}, "samples": {}, "checks": []}
    totals = {"test_sentences": 5, "test_sentences_heard": 3}
    (tmp_path / "audit.json").write_text(json.dumps({**values, **totals}))
    shared = read_audit(RunFolder(tmp_path)).shared_sentences(claim(tested_on=("a", "b")))
    assert shared == (SharedSentences(("a", "b"), 5, 3),)
    newer = {**values, **totals, "sentences": [{"corpora": ["a"], "tested": 5, "heard": None}]}
    (tmp_path / "audit.json").write_text(json.dumps(newer))
    assert read_audit(RunFolder(tmp_path)).shared_sentences(claim()) == (SharedSentences(("a",), 5, None),)
    (tmp_path / "audit.json").write_text(json.dumps(totals))
    with pytest.raises(RunError, match=r"audit\.json: .*; start a new run"):
        read_audit(RunFolder(tmp_path))
