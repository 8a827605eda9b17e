"""A page as its reader has it: tables, facts, code and links, by Python's own HTML parser."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """What stands in a page, in its order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.terms: list[tuple[str, str]] = []
        self.code: list[str] = []
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.warnings: list[str] = []
        self.headings: list[str] = []
        self.text = ""
        self._open: list[tuple[str, str]] = []
        self._cell = ""
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in _VOID:
            self._open.append((tag, found.get("class") or ""))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag == "a":
            self.links.append(found["href"] or "")
        elif tag == "img":
            self.pictures.append(found["alt"] or "")
        if tag in {"th", "td", "dt", "dd", "pre", "h1", "div"}:
            self._cell = ""

    def handle_data(self, data: str) -> None:
        if not any(tag == "style" for tag, _ in self._open):
            self._cell += data
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        opened, kind = self._open.pop()
        assert opened == tag
        cell = self._cell.strip()
        if tag in {"th", "td"}:
            self.tables[-1][-1].append(cell)
        elif tag == "dt":
            self.terms.append((cell, ""))
        elif tag == "dd":
            self.terms[-1] = (self.terms[-1][0], cell)
        elif tag == "pre":
            self.code.append(cell)
        elif tag == "h1":
            self.headings.append(cell)
        elif tag == "div" and kind == "warning":
            self.warnings.append(cell)

    def table(self, first: str) -> dict[str, list[str]]:
        """Rows by their first cell, of the table whose header begins with ``first``."""
        (found,) = [rows for rows in self.tables if rows[0][0] == first]
        return {row[0]: row[1:] for row in found[1:]}

    @property
    def facts(self) -> dict[str, str]:
        return dict(self.terms)
