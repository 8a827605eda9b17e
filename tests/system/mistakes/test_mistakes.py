"""Every mistake of ``mistakes.md`` is met as the page says, and leaves nothing behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tests.system.mistakes.page import Mistake, mistakes_of
from tests.system.mistakes.play import files, play

PAGE = Path(__file__).with_name("mistakes.md")
_SCORE = re.compile(r"[0-9.]+ %")
MISTAKES = list(mistakes_of(PAGE))


def test_the_page_lists_the_thirty_likeliest_mistakes_and_each_once() -> None:
    commands = [mistake.command for mistake in MISTAKES]
    assert len(commands) >= 30
    assert len(set(commands)) == len(commands)
    assert {command.split()[0] for command in commands} == {
        "ser-features",
        "ser-train",
        "ser-evaluate",
        "ser-predict",
    }


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.command)
def test_a_mistake_is_met_by_the_message_of_the_page_and_leaves_nothing(
    mistake: Mistake, stage: Path
) -> None:
    if "cuda" in mistake.command and torch.cuda.is_available():
        pytest.skip("a mistake only where there is no GPU")
    before = files(stage)
    played = play(mistake.command)
    assert played.escaped is None
    assert _scoreless(played.message) == _scoreless(mistake.message)
    assert played.status == mistake.status
    assert "Traceback" not in played.message
    assert files(stage) == before


def _scoreless(message: str) -> str:
    """Without the score of the stage's model, which another machine may round otherwise."""
    return _SCORE.sub("N %", message)
