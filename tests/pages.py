"""Self-contained pages, looked at in a browser as their readers do."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page

WIDTHS = (1280, 390)
"""CSS pixels: a laptop and a telephone."""


def require_readable(browser: Browser, page: Path, shots: Path | None = None) -> None:
    """Assert that the HTML file asks nothing of the network, has no error, and fits both :data:`WIDTHS`.

    ``shots``: folder that gets a picture of the page at each width.
    """
    for width in WIDTHS:
        with browser.new_context(viewport={"width": width, "height": 900}) as context:
            tab = context.new_page()
            requests: list[str] = []
            complaints: list[str] = []
            tab.on("request", lambda request, seen=requests: seen.append(request.url))
            tab.on("console", lambda message, seen=complaints: seen.append(message.text))
            tab.on("pageerror", lambda error, seen=complaints: seen.append(str(error)))
            tab.goto(page.resolve().as_uri())
            if shots is not None:
                tab.screenshot(path=shots / f"{page.stem}-{width}.png", full_page=True)
            outside = [url for url in requests if not url.startswith("data:")]
            assert outside == [page.resolve().as_uri()]
            assert complaints == []
            _require_fit(tab, width)


def _require_fit(tab: Page, width: int) -> None:
    """Only boxes that scroll by themselves are wider than the page; pictures are there, text is legible."""
    sticking_out = tab.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => !e.closest('.wide, pre') && e.getBoundingClientRect().right > innerWidth + 0.5)
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert sticking_out == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    broken = tab.evaluate(
        """() => [...document.images]
            .filter(i => !i.complete || !i.naturalWidth || !i.alt)
            .map(i => i.alt || 'no alternative text')"""
    )
    assert broken == []
    small = tab.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => e.innerText && !e.children.length && parseFloat(getComputedStyle(e).fontSize) < 12)
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert small == []
