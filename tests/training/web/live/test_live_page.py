"""The live page in Chromium, with a microphone that plays a known file."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from PIL import Image
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

    def watch(self, socket: WebSocket) -> None:
        """Write down what the page and the server say."""

        def send(payload: str | bytes) -> None:
            self.sent.append(payload)

        def receive(payload: str | bytes) -> None:
            self.received.append(str(payload))

        socket.on("framesent", send)
        socket.on("framereceived", receive)

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

        page.on("websocket", found.watch)
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        page.add_init_script(WATCH_TRACKS)
        page.goto(url)
        yield found
    finally:
        own.close()


RELEASED = "window.tracks.every(track => track.readyState === 'ended')"
WATCH_TRACKS = """
window.tracks = [];
const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (open) navigator.mediaDevices.getUserMedia = async wanted => {
  const stream = await open(wanted);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""


def require_fit(page: Page) -> None:
    """Only boxes that scroll are wider than the page; text is legible, and controls have names."""
    sticking_out, small, nameless = page.evaluate(
        """() => {
            const all = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility());
            const says = e => e.outerHTML.slice(0, 120);
            return [
                all.filter(e => !e.closest('.wide') && e.getBoundingClientRect().right > innerWidth + 0.5),
                all.filter(e => e.innerText && !e.children.length)
                    .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12),
                all.filter(e => e.matches('button, input, meter, summary, canvas'))
                    .filter(e => !(e.innerText || e.ariaLabel || e.labels?.[0]?.innerText)),
            ].map(found => found.map(says));
        }"""
    )
    assert (sticking_out, small, nameless) == ([], [], [])


def take_picture(page: Page, path: Path) -> None:
    """A picture of the page for readers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True, animations="disabled")))
    shot.convert("RGB").quantize(160).save(path, optimize=True)
    assert 15_000 < path.stat().st_size < 200_000


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


def voiced_s(row: dict[str, str], samples: np.ndarray, rate: int) -> float:
    """Seconds of a window with a voice, one of whose samples in 10 ms is loud."""
    part = samples[round(float(row["start_s"]) * rate) : round(float(row["stop_s"]) * rate)]
    frames = part[: len(part) // (rate // 100) * (rate // 100)].reshape(-1, rate // 100)
    return float((np.abs(frames).max(axis=1) > 1e-4).sum()) / 100


def align(known: Path, samples: np.ndarray, rate: int) -> tuple[np.ndarray, float]:
    """The known file at ``rate``, shifted to where it is in ``samples``; the share of energy that differs."""
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
        tab.hear(soundfile.info(sound).duration - 1)
        take_picture(tab.page, Path(os.environ.get("SER_SCREENSHOTS", tmp_path)) / "live-demo.png")
        tab.hear(soundfile.info(sound).duration)
        tab.stop()
        found = tab.saved()
        assert tab.page.evaluate(RELEASED)
        shown = [line.split("\t") for line in tab.page.locator("#windows tbody tr").all_text_contents()]
        tab.require_quiet(served.url)
        require_fit(tab.page)
        samples, rate = tab.samples, tab.rate
        skipped = tab.skipped
    heard, aligned = tmp_path / "heard.wav", tmp_path / "aligned.wav"
    soundfile.write(heard, samples, rate, subtype="FLOAT")
    of_heard = rows_of(run, heard)
    # The page shows what the command prints for the samples that arrived; the last digit may be rounded
    # differently.
    assert len(found) + skipped == len(of_heard)
    assert len(shown) == len(found)
    require_same(found, of_heard, 2e-6)
    # These samples are the file's, from the moment when the browser opened its microphone, resampled with the
    # browser's filter. Of windows with less than 50 ms of a voice, every sample matters.
    known, different = align(sound, samples, rate)
    assert different < 1e-5
    soundfile.write(aligned, known, rate, subtype="FLOAT")
    of_file = [row for row in rows_of(run, aligned) if not 0 < voiced_s(row, known, rate) < 0.05]
    assert len(of_file) > 25
    require_same(of_file, of_heard, 0.02)
    silent = [row["emotion"] == "silence" for row in found]
    assert [before for before, after in pairwise(silent) if before != after] == [True, False] * 3


def test_windows_change_while_it_listens_and_ctrl_c_ends_both(
    browser: Browser, serve: Serve, run: Path, sound: Path
) -> None:
    served = serve(run, "--live", "--port", 0, "--users", 1)
    with visit(browser, served.url, sound, WIDTHS[1]) as tab, visit(browser, served.url, sound) as second:
        tab.cut(WINDOW_S, STEP_S, -80)
        tab.start()
        tab.hear(2.0)
        second.page.get_by_role("button", name="Start listening").click()
        expect(second.page.get_by_role("alert")).to_have_text(
            "This server listens to 1 page at a time; try again later."
        )
        second.state("idle")
        tab.cut(0.5, 0.5, -80)
        rows = tab.page.locator("#windows tbody tr")
        expect(rows.filter(has_text=re.compile(r"^(\d+)\.0 s\1\.5 s"))).not_to_have_count(0, timeout=20_000)
        tab.require_quiet(served.url)
        require_fit(tab.page)
        served.process.send_signal(signal.SIGINT)
        expect(tab.page.get_by_role("alert")).to_contain_text("The server has ended", timeout=20_000)
        tab.state("idle")
        assert tab.page.evaluate(RELEASED)
    assert "".join(served.rest()) == ""
    assert served.process.returncode == 0
    assert list(served.temporary.rglob("*")) == []


def test_a_page_that_is_closed_makes_room_for_the_next(browser: Browser, served: Served, sound: Path) -> None:
    for _ in range(2):
        with visit(browser, served.url, sound) as tab:
            tab.start()
            tab.hear(0.3)
            tab.page.close()
