"""The site builds without warnings, makes no network requests, fits a phone, and its search works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import REPOSITORY
from tests.docs.fences import fences_of
from tests.pages import WIDTHS
from tests.servers.web import web_server

PAGES = (
    "index.html",
    "readme/index.html",
    "training/index.html",
    "recipes/index.html",
    "protocols/index.html",
)
PAGES += (
    "reference/commands/index.html",
    "tutorials/first-model/index.html",
    "reference/python-store/index.html",
    "benchmarks/index.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site") / "site"
    result = _built(REPOSITORY / "mkdocs.yml", folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with web_server(site) as web:
        yield web.url


def _built(configuration: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", configuration, "-d", folder],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_each_page_of_docs_is_a_page_of_the_site(site: Path) -> None:
    for path in (REPOSITORY / "docs").rglob("*.md"):
        name = path.relative_to(REPOSITORY / "docs").with_suffix("")
        assert (site / name.parent / ("" if name.name == "index" else name.name) / "index.html").is_file()


@pytest.mark.slow
def test_links_that_leave_docs_lead_to_pages_of_the_site(site: Path) -> None:
    assert 'href="tess-delta/"' in (site / "recipes" / "index.html").read_text()
    assert 'href="../training/"' in (site / "readme" / "index.html").read_text()
    assert "../schemas" not in (site / "recipes" / "index.html").read_text()


@pytest.mark.slow
def test_the_reference_is_made_of_docstrings(site: Path) -> None:
    page = (site / "reference" / "python-store" / "index.html").read_text()
    for name in ("featurestore.store.FeatureStore.read", "featurestore.build.build"):
        assert f'id="{name}"' in page
    assert ":class:" not in page


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_nothing_of_the_network_and_fits(page: str, address: str, browser: Browser) -> None:
    for width in WIDTHS:
        with browser.new_context(viewport={"width": width, "height": 900}) as context:
            tab = context.new_page()
            asked, complaints = _watch(tab)
            tab.goto(f"{address}/{page}", wait_until="load")
            assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}
            assert complaints == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(_STICKING_OUT) == []


@pytest.mark.slow
def test_search_finds_a_word_without_the_network(address: str, browser: Browser) -> None:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = context.new_page()
        asked, _ = _watch(tab)
        tab.goto(f"{address}/index.html", wait_until="load")
        tab.locator("input.md-search__input").click()
        expect(tab.locator(".md-search-result__meta")).to_have_text("Type to start searching", timeout=30_000)
        tab.locator("input.md-search__input").press_sequentially("torchrun")
        expect(tab.locator(".md-search-result__item").first).to_be_visible(timeout=30_000)
        assert "torchrun" in tab.locator(".md-search-result__list").inner_text().lower()
        assert {urlsplit(url).netloc for url in asked if not url.startswith("blob:")} == {
            urlsplit(address).netloc
        }


@pytest.mark.slow
def test_a_link_to_nothing_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    text = (REPOSITORY / "mkdocs.yml").read_text()
    settings = text[text.index("\nvalidation:") : text.index("\nnav:")]
    for target in ("nothing.md", "index.md#nothing"):
        (tmp_path / "docs" / "index.md").write_text(f"# Title\n\n[a link]({target})\n")
        (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nstrict: true\n{settings}")
        result = _built(tmp_path / "mkdocs.yml", tmp_path / "site")
        assert result.returncode != 0
        assert "nothing" in result.stderr


def test_a_list_has_an_empty_line_before_it() -> None:
    """GitHub shows a list behind a paragraph without one; the site would run its items into the paragraph."""
    bullet = ("- ", "* ", "1. ")
    found = []
    for path in (REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")):
        inside = {
            number
            for fence in fences_of(path, path.name)
            for number in range(fence.line, fence.line + fence.text.count("\n"))
        }
        before = ""
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            starts = line.startswith(bullet) and number not in inside
            if starts and before and not before.startswith((*bullet, " ")) and before[0] not in "0123456789":
                found.append(f"{path.name}:{number}")
            before = line
    assert found == []


def _watch(tab: Page) -> tuple[list[str], list[str]]:
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    return asked, complaints


_STICKING_OUT = """() => [...document.querySelectorAll('.md-content *')]
    .filter(e => !e.closest('pre, .md-typeset__scrollwrap, .highlight'))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => e.outerHTML.slice(0, 120))"""
