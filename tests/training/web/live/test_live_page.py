"""The live page in Chromium, with a microphone that plays a known file."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from playwright.sync_api import Browser, Page, WebSocket, expect
from scipy.signal import correlate

from tests.pages import WIDTHS
from tests.training.predict.test_predict import called
from tests.training.web.conftest import Serve, Served

pytestmark = pytest.mark.slow  # a server of its own, and sound takes as long as it takes

RATE = 48_000
WINDOW_S, STEP_S = 1.0, 0.25
NAMES = {"clip", "start_s", "stop_s", "emotion", "probability"}
QUIET_S = 1.3
"""Seconds of silence around each voice: at least one window lies in it."""


@pytest.fixture(scope="module")
def served(serve: Serve, run: Path) -> Served:
    return serve(run, "--live", "--port", 0, "--users", 1)


@pytest.fixture(scope="module")
def sound(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three voices, 1.4 s each, with digital silence around them."""
    quiet = np.zeros(round(QUIET_S * RATE))
    parts = [quiet]
    for clip in (clips[0], clips[40], clips[80]):
        samples, rate = soundfile.read(clip)
        voice = np.resize(soxr.resample(samples, rate, RATE), round(1.4 * RATE))
        parts += [0.8 * voice / np.abs(voice).max(), quiet]
    path = tmp_path_factory.mktemp("sound") / "voices.wav"
    soundfile.write(path, np.concatenate(parts), RATE, subtype="PCM_16")
    return path


@dataclass
class Visit:
    """A tab on the live page: what it sent to the server, and what it complained of."""

    page: Page
    sent: list[str | bytes] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def samples(self) -> np.ndarray:
        return np.frombuffer(b"".join(part for part in self.sent if isinstance(part, bytes)), "<f4")

    @property
    def rate(self) -> int:
        return int(json.loads(next(part for part in self.sent if isinstance(part, str)))["rate"])

    @property
    def skipped(self) -> int:
        """Windows that the server says it skipped."""
        return max(json.loads(text).get("skipped", 0) for text in self.received)

    def start(self) -> None:
        self.page.get_by_role("button", name="Start listening").click()
        self.state("listening")

    def stop(self) -> None:
        self.page.get_by_role("button", name="Stop listening").click()
        self.state("idle")
        expect(self.page.get_by_role("alert")).to_be_hidden()

    def hear(self, seconds: float) -> None:
        """Wait until this many seconds of sound were sent."""
        while len(self.samples) < seconds * self.rate:
            self.page.wait_for_timeout(50)

    def require_quiet(self, url: str) -> None:
        """Only the server was contacted, and the browser has nothing to complain about."""
        assert self.complaints == []
        assert [other for other in self.requests if not other.startswith((url, f"blob:{url}"))] == []

    def state(self, name: str) -> None:
        expect(self.page.locator(f"#live[data-state={name}]")).to_be_visible(timeout=20_000)

    def cut(self, window_s: float, step_s: float, level_db: float) -> None:
        for label, value in (("Window", window_s), ("Step", step_s), ("Silence below", level_db)):
            self.page.get_by_role("spinbutton", name=label).fill(str(value))
        self.page.get_by_role("spinbutton", name="Window").press("Tab")

    def saved(self) -> list[dict[str, str]]:
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Save all windows as CSV").click()
        return list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8"))))


@contextmanager
def visit(browser: Browser, url: str, played: Path | None, width: int = WIDTHS[0]) -> Iterator[Visit]:
    """A tab in a browser with a microphone that plays a file once; None: a browser without one."""
    microphone = [] if played is None else [f"--use-file-for-fake-audio-capture={played}%noloop"]
    own = browser.browser_type.launch(
        executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            *(["--use-fake-device-for-media-stream"] if played else []),
            "--use-fake-ui-for-media-stream",
            *microphone,
        ],
    )
    try:
        page = own.new_context(viewport={"width": width, "height": 1000}, color_scheme="light").new_page()
        found = Visit(page)

        def watch(socket: WebSocket) -> None:
            socket.on("framesent", lambda payload: found.sent.append(payload))
            socket.on("framereceived", lambda payload: found.received.append(str(payload)))

        page.on("websocket", watch)
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        page.goto(url)
        yield found
    finally:
        own.close()


def rows_of(run: Path, heard: Path) -> list[dict[str, str]]:
    """What ``ser-predict --window`` prints for a file."""
    status, text, err = called(run, heard, "--window", str(WINDOW_S), "--step", str(STEP_S), "--csv")
    assert status == 0, err
    return list(csv.DictReader(io.StringIO(text)))


def numbers(row: dict[str, str]) -> np.ndarray:
    """Probabilities of a row; empty for silence."""
    return np.array([float(value) for name, value in row.items() if name not in NAMES and value])


def require_same(found: list[dict[str, str]], expected: list[dict[str, str]], tolerance: float) -> None:
    """Rows of the same windows have the same emotion, or silence, and probabilities."""
    by_start = {row["start_s"]: row for row in expected}
    for row in found:
        other = by_start[row["start_s"]]
        np.testing.assert_allclose(numbers(row), numbers(other), atol=tolerance)
        assert (row["emotion"] == "silence") == (other["emotion"] == "silence")


def align(known: Path, samples: np.ndarray, rate: int) -> tuple[np.ndarray, float]:
    """The known file at ``rate``, shifted to where it is in ``samples``, and the share of energy that differs."""
    played, own = soundfile.read(known, dtype="float32")
    whole = soxr.resample(played, own, rate).astype(np.float32)
    lag = int(np.argmax(correlate(samples, whole))) - (len(whole) - 1)
    padded = np.concatenate([np.zeros(len(samples), dtype=np.float32), whole, np.zeros_like(samples)])
    shifted = padded[len(samples) - lag :][: len(samples)]
    return shifted, float(np.square(samples - shifted).sum() / np.square(samples).sum())


def test_the_timeline_is_that_of_the_file_that_the_microphone_plays(
    browser: Browser, served: Served, run: Path, sound: Path, tmp_path: Path
) -> None:
    with visit(browser, served.url, sound) as tab:
        tab.cut(WINDOW_S, STEP_S, -80)
        tab.start()
        tab.hear(soundfile.info(sound).duration)
        tab.stop()
        found = tab.saved()
        shown = [line.split("\t") for line in tab.page.locator("#windows tbody tr").all_text_contents()]
        tab.require_quiet(served.url)
        samples, rate = tab.samples, tab.rate
        skipped = tab.skipped
    heard, aligned = tmp_path / "heard.wav", tmp_path / "aligned.wav"
    soundfile.write(heard, samples, rate, subtype="FLOAT")
    of_heard = rows_of(run, heard)
    # The page shows what the command prints for the samples that arrived: the last digit may be rounded otherwise.
    assert len(found) + skipped == len(of_heard)
    assert skipped or [row["start_s"] for row in found] == [row["start_s"] for row in of_heard]
    require_same(found, of_heard, 2e-6)
    assert len(shown) == len(found)
    # And those samples are the file's, from where the browser opened its microphone.
    known, different = align(sound, samples, rate)
    print("different", different)
    soundfile.write(aligned, known, rate, subtype="FLOAT")
    for a, b in zip(of_heard, rows_of(run, aligned)):
        print(a["start_s"], a["emotion"], b["emotion"], np.abs(numbers(a) - numbers(b)).max() if len(numbers(a)) == len(numbers(b)) and len(numbers(a)) else None)
    assert different < 1e-3
    require_same(of_heard, rows_of(run, aligned), 0.02)
    emotions = [row["emotion"] for row in found]
    changes = [first == "silence" for first, second in pairwise(emotions) if (first == "silence") != (second == "silence")]
    assert changes == [True, False] * 3  # three voices, and silence around them
