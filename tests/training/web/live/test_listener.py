"""Messages of a page and the answers of the server, without a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.predict.ensemble import Ensemble
from training.web.asgi import Message
from training.web.live import listener
from training.web.live.listener import Listener

RATE = 16_000
START = {"type": "start", "rate": RATE, "window_s": 1.0, "step_s": 0.5, "level_db": -80.0}
STOP = {"type": "stop"}


@pytest.fixture(scope="module")
def model(run: Path) -> Ensemble:
    return Ensemble.open([run], "cpu")


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype("<f4")


Sent = dict[str, Any] | np.ndarray | bytes


def listen(
    model: Ensemble,
    sent: Iterable[Sent],
    longest_s: float = 60.0,
    before: Callable[[int, list[Message]], bool] = lambda _sent, _answers: True,
) -> list[Message]:
    """Answers to messages of a page that is then closed; ``before`` holds a message back until it is true."""
    answers: list[Message] = []
    messages = [encode(each) for each in sent]
    given = 0

    async def receive() -> Message:
        nonlocal given
        while not before(given, answers):
            await asyncio.sleep(0.001)
        if given == len(messages):
            return {"type": "websocket.disconnect", "code": 1001}
        given += 1
        await asyncio.sleep(0)
        return messages[given - 1]

    async def send(message: Message) -> None:
        answers.append(json.loads(message["text"]) if "text" in message else message)

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(Listener(model, longest_s, pool, receive, send).listen())
    return answers


def encode(sent: Sent) -> Message:
    if isinstance(sent, dict):
        return {"type": "websocket.receive", "text": json.dumps(sent)}
    return {"type": "websocket.receive", "bytes": sent if isinstance(sent, bytes) else sent.tobytes()}


def rows(answers: Iterable[Message]) -> list[tuple[float, float, list[float] | None]]:
    return [
        (each["start_s"], each["stop_s"], each["probabilities"]) for each in answers if each["type"] == "row"
    ]


def all_answered(model: Ensemble, sent: list[Sent], first_rows: int = 0, **others: Any) -> list[Message]:
    """Answers to a page that stays open until the server ends.

    ``first_rows`` : what is sent after the first sound waits for this many rows.
    """
    closing = len(sent)

    def wait(number: int, answers: list[Message]) -> bool:
        if number == closing:
            return any(each["type"] == "websocket.close" for each in answers)
        return number < 2 or len(rows(answers)) >= first_rows

    return listen(model, sent, before=wait, **others)


def test_rows_are_those_of_the_whole_sound(model: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "PATIENCE_S", 60.0)  # the sound arrives at once
    sound = np.concatenate([noise(1.2), np.zeros(2 * RATE, "<f4"), noise(1.31, 1)])
    blocks = np.split(sound, range(0, len(sound), 1111))[1:]
    answers = all_answered(model, [START, *blocks, STOP])
    expected = list(model.listen([sound], RATE, 1.0, 0.5))
    assert len(expected) == 9
    for (start_s, stop_s, shares), one in zip(rows(answers), expected, strict=True):
        assert (start_s, stop_s) == (one.start_s, one.stop_s)
        assert (shares is None) == (one.probabilities is None)
        assert shares is None or shares == pytest.approx(one.probabilities, abs=1e-9)
    assert answers[-2:] == [{"type": "end", "problem": None}, {"type": "websocket.close", "code": 1000}]


def test_the_level_of_silence_and_the_windows_change_with_the_next_sound(
    model: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PATIENCE_S", 60.0)
    change = {"type": "change", "window_s": 2.0, "step_s": 1.0, "level_db": -10.0}
    answers = all_answered(model, [START, noise(3.05), change, noise(2.05) / 5, STOP], first_rows=5)
    found = rows(answers)
    assert [(start, stop) for start, stop, _ in found[:5]] == [(n / 2, n / 2 + 1) for n in range(5)]
    assert [(start, stop) for start, stop, _ in found[5:]] == [
        (2.0, 4.0),
        (3.0, 5.0),
        (pytest.approx(3.1), pytest.approx(5.1)),
    ]
    # The first sound is louder than the new level, and ends within the window from 3 to 5 s.
    assert [shares is None for _, _, shares in found] == [False] * 7 + [True]


def test_a_slow_model_skips_to_the_present_and_says_so(model: Ensemble) -> None:
    answers = all_answered(model, [START, noise(1.1), *[noise(1.0)] * 9, STOP], first_rows=1)
    found = rows(answers)
    skipped = [each["skipped"] for each in answers if each["type"] == "row"]
    assert found[0][:2] == (0.0, 1.0)
    assert found[-1][1] == pytest.approx(10.1)
    assert skipped == sorted(skipped)
    assert len(found) + skipped[-1] == 20  # rows and skipped windows are all windows


def test_a_session_has_a_longest_time(model: Ensemble) -> None:
    answers = all_answered(model, [START, *[noise(0.6)] * 5], longest_s=2.2)
    assert rows(answers)[-1][:2] == (pytest.approx(1.2), pytest.approx(2.2))
    assert answers[-2]["problem"] == "this page listens for 2.2 s at most; start again"


NOT_FINITE = np.array([0, np.nan], "<f4")


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ([noise(0.1)], "the page must start before it sends sound"),
        ([STOP], "the page must start before it sends sound"),
        ([START, START], "the page has started already"),
        ([{**START, "rate": 100}], "the server does not accept this rate: input should be greater than"),
        ([{**START, "step_s": 0.01}], "the server does not accept this step_s: "),
        ([{**START, "more": 1}], "the server does not accept this more: "),
        ([{**START, "window_s": 30.0}], "the model does not hear windows of 30 s"),
        ([START, {**START, "type": "change", "window_s": 0.01}], "the server does not accept this rate"),
        (
            [START, {"type": "change", "window_s": 0.01, "step_s": 0.5, "level_db": -50.0}],
            "windows of 0.01 s",
        ),
        ([START, NOT_FINITE], "the microphone returns NaN or infinite samples"),
        ([START, b"123"], "a block of sound breaks off within a sample"),
        ([START, {"type": "sing"}], "the server does not accept this message"),
    ],
)
def test_what_the_page_does_not_send_ends_it_with_a_sentence(
    model: Ensemble, sent: list[Sent], problem: str
) -> None:
    *_, end, close = all_answered(model, sent)
    assert problem in end["problem"]
    assert close == {"type": "websocket.close", "code": 1000}


def test_a_page_that_falls_silent_or_floods_the_server_is_ended(
    model: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "SILENT_S", 0.05)
    *_, end, _ = all_answered(model, [START])
    assert end["problem"].startswith("no sound arrived for 0.05 s")
    monkeypatch.setattr(listener, "MOST_WAITING_S", 2.0)
    *_, end, _ = all_answered(model, [START, *[noise(0.9)] * 30])
    assert end["problem"].startswith("more than 2 s of sound wait for the model")


def test_a_page_that_is_closed_is_not_answered_any_more(model: Ensemble) -> None:
    def wait(number: int, answers: list[Message]) -> bool:
        return number < 2 or bool(rows(answers))

    answers = listen(model, [START, noise(9.0)], before=wait)
    assert 1 <= len(rows(answers)) < 5
    assert {each["type"] for each in answers} == {"row"}
