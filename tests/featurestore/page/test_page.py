"""Pages of one file: nothing in them acts, and nothing outside is asked for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Browser

from featurestore.page.picture import Picture, embed_png, png_picture, svg_picture
from featurestore.page.render import render
from tests.pages import require_readable

FILLED = """{% extends "page.html" %}
{% from "parts.html" import table, figure, facts, list %}
{% block title %}{{ name }}{% endblock %}
{% block content %}
{{ facts([("clips", "1,440")]) }}{{ list([("digest", name)]) }}
{{ table(["a"] * 30, [[name] * 30]) }}
{% for each in pictures %}{{ figure(each, name) }}{% endfor %}
{% endblock %}
"""


def wide_figure() -> Figure:
    figure = Figure(figsize=(12, 3))
    axes = figure.subplots()
    axes.plot([1, 3, 2])
    axes.set_title("a title")
    return figure


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("packages")
    folder = root / "filled_page"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "templates" / "filled.html").write_text(FILLED)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        yield "filled_page"


def test_what_a_store_says_is_text_never_markup(package: str) -> None:
    html = render(package, "filled.html", name='<script>alert(1)</script>"', pictures=[])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 30


def test_a_drawing_is_the_same_bytes_each_time_and_as_large_as_its_figure() -> None:
    first, second = svg_picture(wide_figure(), "a line"), svg_picture(wide_figure(), "a line")
    assert first == second
    assert first.uri.startswith("data:image/svg+xml;base64,")
    assert b"<svg" in base64.b64decode(first.uri.partition(",")[2])
    assert first.width == pytest.approx(12 * 96, rel=0.2)
    assert png_picture(wide_figure(), "a line").width == pytest.approx(first.width, rel=0.02)


def test_a_file_that_is_no_png_is_no_picture() -> None:
    with pytest.raises(ValueError, match="not a PNG"):
        embed_png(b"GIF89a" + bytes(40), "", dpi=100)


def test_a_page_can_be_read_on_a_laptop_and_on_a_telephone(
    package: str, browser: Browser, tmp_path: Path
) -> None:
    pictures = [svg_picture(wide_figure(), "a line"), png_picture(wide_figure(), "a line")]
    page = tmp_path / "page.html"
    page.write_text(render(package, "filled.html", name="x" * 300, pictures=pictures), encoding="utf-8")
    require_readable(browser, page)


@pytest.mark.parametrize(
    "defect",
    [
        '<img src="https://example.org/a.png" alt="a">',
        '<img src="data:image/png;base64,AAAA" alt="broken">',
        '<p style="width:2000px">wide</p>',
        '<p style="font-size:8px">small</p>',
    ],
)
def test_the_look_at_a_page_finds_its_defects(
    defect: str, package: str, browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    sound = render(package, "filled.html", name="a name", pictures=list[Picture]())
    page.write_text(sound.replace("</main>", f"{defect}</main>"), encoding="utf-8")
    with pytest.raises(AssertionError):
        require_readable(browser, page)
