"""The page in Chromium, as its visitors use it."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import Browser, FileChooser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.pages import WIDTHS
from tests.training.web.asking import shares
from tests.training.web.conftest import Serve, Served
from training.predict.predictor import Predictor

pytestmark = pytest.mark.slow  # a server of its own takes a minute

CLOSED = ("Method not implemented.",)
"""What Gradio's own script says when it closes a stream of its queue."""

UNPLAYED = (
    "https://svelte.dev/e/derived_inert",
    "MediaError",
    "Failed to load resource: the server responded with a status of 404 (Not Found)",
)
"""And where it is about to play what is no sound, or was answered and forgotten in the meantime."""


@pytest.fixture(scope="module")
def served(serve: Serve, run: Path) -> Served:
    return serve(run, "--port", 0, "--max-mb", 2, "--max-seconds", 40)


@pytest.fixture(params=WIDTHS)
def tab(browser: Browser, served: Served, request: pytest.FixtureRequest) -> Iterator[Page]:
    yield from opened(browser, served, request.param)


@pytest.fixture
def wide_tab(browser: Browser, served: Served) -> Iterator[Page]:
    yield from opened(browser, served, WIDTHS[0])


def opened(browser: Browser, served: Served, width: int) -> Iterator[Page]:
    """A tab with the page; at the end it must have asked nobody else and complained of nothing."""
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        requests: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        failed: list[str] = []
        page.on("response", lambda reply: failed.append(reply.url) if reply.status >= 400 else None)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served.url)
        page.locator("#ser-clip input[type=file]").wait_for(state="attached")
        page.wait_for_load_state("networkidle")
        yield page
        own = (served.url, "data:", f"blob:{served.url}")
        assert [url for url in requests if not url.startswith(own)] == []
        assert [complaint for complaint in complaints if not complaint.endswith((*CLOSED, *UNPLAYED))] == []
        assert [url for url in failed if "/gradio_api/file=" not in url] == []


def send(page: Page, path: Path) -> None:
    page.set_input_files("#ser-clip input[type=file]", path)


def answer_to(page: Page, path: Path) -> str:
    """HTML of the answer to the recording at ``path``."""
    expect(page.locator("#ser-answer .ser-file")).to_contain_text(path.name, timeout=60_000)
    return page.locator("#ser-answer").inner_html()


def require_fit(page: Page) -> None:
    """Only boxes that scroll by themselves are wider than the page; text is legible."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sticking_out, small = page.evaluate(
        """() => {
            const all = [...document.querySelectorAll('main *')].filter(e => e.checkVisibility());
            const says = e => e.outerHTML.slice(0, 120);
            return [
                all.filter(e => !e.closest('.ser-wide'))
                    .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5),
                all.filter(e => e.innerText && !e.children.length)
                    .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12),
            ].map(found => found.map(says));
        }"""
    )
    assert sticking_out == []
    assert small == []


@pytest.fixture(scope="module")
def long_clip(clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "interview.wav"
    samples, rates = zip(*(soundfile.read(clip) for clip in clips[:7]), strict=True)
    soundfile.write(path, np.concatenate([*samples[:4], np.zeros(6 * rates[0]), *samples[4:]]), rates[0])
    return path


def test_a_clip_is_answered_with_bars_pictures_and_what_was_heard(
    tab: Page, run: Path, clips: list[Path]
) -> None:
    send(tab, clips[0])
    found = shares(answer_to(tab, clips[0]))
    predicted = Predictor.open(run, "cpu").predict(clips[0]).ranked
    assert found == {name: pytest.approx(100 * share, abs=0.51) for name, share in predicted}
    image = tab.locator("#ser-answer img")
    assert image.count() == 1
    assert image.evaluate("picture => picture.complete && picture.naturalWidth > 400")
    assert "the model hears" in str(image.get_attribute("alt"))
    heard_s = tab.locator("#ser-answer audio").evaluate(
        "player => new Promise(done => player.readyState ? done(player.duration) "
        ": player.onloadedmetadata = () => done(player.duration))"
    )
    assert 0.3 < heard_s <= 3
    require_fit(tab)
    send(tab, clips[1])
    answer_to(tab, clips[1])


def test_a_box_asks_for_what_the_model_listens_to(tab: Page, clips: list[Path]) -> None:
    tab.get_by_label("Also show what the model listens to").check()
    send(tab, clips[2])
    answer_to(tab, clips[2])
    expect(tab.get_by_role("heading", name="What the model listened to")).to_be_visible()
    picture = tab.locator("#ser-answer img").last
    assert picture.evaluate("picture => picture.complete && picture.naturalWidth > 400")
    assert "the effect of hiding parts" in str(picture.get_attribute("alt"))
    require_fit(tab)


def test_a_long_recording_has_a_timeline_and_a_table(tab: Page, long_clip: Path) -> None:
    send(tab, long_clip)
    answer_to(tab, long_clip)
    expect(tab.get_by_role("heading", name="Over time")).to_be_visible()
    assert tab.locator("#ser-answer img").count() == 2
    tab.locator("#ser-answer summary").click()
    rows = tab.locator("#ser-answer details tbody tr")
    assert rows.count() > 10
    assert rows.filter(has_text="silence").count() >= 2
    require_fit(tab)


def test_the_worth_of_the_model_stays_in_sight(tab: Page, long_clip: Path) -> None:
    send(tab, long_clip)
    answer_to(tab, long_clip)
    tab.mouse.move(200, 600)
    for _ in range(6):
        tab.mouse.wheel(0, 400)
        strip = tab.locator("#ser-model")
        expect(strip).to_be_in_viewport(ratio=0.99)
        expect(strip).to_contain_text("speaker-independent (protocol: speaker)")
        expect(strip).to_contain_text("UA")
    assert tab.evaluate("scrollY") > 300


@pytest.mark.slow
def test_a_model_that_is_not_speaker_independent_carries_its_warning(
    browser: Browser, serve: Serve, leaky_run: Path
) -> None:
    leaky = serve(leaky_run, "--port", 0)
    for width in WIDTHS:
        for page in opened(browser, leaky, width):
            expect(page.get_by_role("note")).to_contain_text("says nothing about new speakers")
            require_fit(page)


def test_what_cannot_be_answered_is_a_sentence(browser: Browser, served: Served, tmp_path: Path) -> None:
    rate = 8000
    soundfile.write(tmp_path / "silent.wav", np.zeros(rate), rate)
    soundfile.write(tmp_path / "long.wav", np.zeros(41 * rate), rate)
    (tmp_path / "broken.wav").write_bytes(b"RIFF\0\0")
    for page in opened(browser, served, WIDTHS[0]):
        for name, sentence in (
            ("silent.wav", "silent: the loudest sample is 0 of full scale"),
            ("long.wav", "41 s long, but this page accepts at most 40 s"),
            ("broken.wav", "not readable as audio"),
        ):
            send(page, tmp_path / name)
            alert = page.locator("#ser-answer [role=alert]")
            expect(alert).to_contain_text(f"{name}: {sentence}", timeout=60_000)


def test_too_large_a_file_is_refused_in_the_page(wide_tab: Page, tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    soundfile.write(path, np.zeros(1_100_000), 44_100)
    send(wide_tab, path)
    expect(wide_tab.get_by_text("exceed the maximum allowed size of 2")).to_be_visible()


def chooser_by_keyboard(page: Page) -> FileChooser:
    """What opens when the upload is reached by Tab and entered. On a busy machine the page may take a while
    until it listens to keys."""
    drop = page.get_by_role("button", name="Drop an audio file here to upload")
    for _ in range(6):
        for _ in range(20):
            page.keyboard.press("Tab")
            if drop.evaluate("button => button === document.activeElement"):
                break
        expect(drop).to_be_focused()
        with suppress(PlaywrightTimeout):
            with page.expect_file_chooser(timeout=10_000) as chosen:
                page.keyboard.press("Enter")
            return chosen.value
    raise AssertionError("no chooser of files opens by Enter")


def test_the_page_can_be_used_by_keyboard_and_its_parts_have_names(wide_tab: Page, clips: list[Path]) -> None:
    page = wide_tab
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('main button, main input, main audio, main img, main summary')]
            .filter(e => !(e.ariaLabel || e.alt || e.innerText || e.labels?.length))
            .map(e => e.outerHTML.slice(0, 100))"""
    )
    assert nameless == []
    chooser_by_keyboard(page).set_files(clips[0])
    answer_to(page, clips[0])
    expect(page.get_by_role("table", name="Probability of each emotion")).to_be_visible()
    assert page.get_by_role("heading", level=1).count() == 1
    for name in ("Answer", "Test result of this model", "About this model and this page"):
        expect(page.get_by_role("region", name=name).first).to_be_visible()


def test_a_recording_by_microphone_is_answered(
    browser: Browser, served: Served, clips: list[Path], tmp_path: Path
) -> None:
    spoken = tmp_path / "spoken.wav"
    samples, rate = soundfile.read(clips[0])
    soundfile.write(spoken, np.tile(samples, 3), rate, subtype="PCM_16")
    own = browser.browser_type.launch(
        executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={spoken}",
        ],
    )
    page = own.new_context(permissions=["microphone"]).new_page()
    page.goto(served.url)
    page.get_by_role("button", name="Record audio").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(2500)
    page.get_by_role("button", name="Stop", exact=True).first.click()
    shown = page.locator("#ser-answer .ser-file")
    expect(shown).to_contain_text(".wav", timeout=60_000)
    assert len(shares(page.locator("#ser-answer").inner_html())) == 7
    own.close()


def test_a_picture_of_the_page_for_readers(wide_tab: Page, clips: list[Path], tmp_path: Path) -> None:
    folder = Path(os.environ.get("SER_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    send(wide_tab, clips[16])
    answer_to(wide_tab, clips[16])
    wide_tab.wait_for_timeout(500)
    shot = Image.open(io.BytesIO(wide_tab.screenshot(full_page=True, animations="disabled")))
    path = folder / "web-demo.png"
    shot.convert("RGB").quantize(160).save(path, optimize=True)
    assert 20_000 < path.stat().st_size < 200_000
