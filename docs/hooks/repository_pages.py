"""Make site pages from files of the repository that pages link to: README, changes, licence, recipes.

On GitHub, ``../README.md#commands`` leads to the file. On the site, it leads to the page that is made from it
here. So every link is written once, in GitHub's form, and ``mkdocs build --strict`` checks it.
"""  # noqa: INP001 not a package: MkDocs loads it by its path

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_PAGES = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changes.md",
    "CITATION.cff": "citation.md",
    "LICENSE": "licence.md",
}
_TITLES = {"CITATION.cff": "Citation", "LICENSE": "Licence"}
"""Titles of files that are shown as plain text."""
_LINK = re.compile(r"(\]\(|\bsrc=\"|\bhref=\")(?!https?:|mailto:|#)([^)\s\"#]+)")
_CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from files outside ``docs/``."""
    root = Path(config.docs_dir).parent
    for source, page in _site_pages(root).items():
        text = (root / source).read_text(encoding="utf-8")
        if source.endswith(".toml"):
            text = f"# Recipe `{Path(source).stem}`\n\n```toml\n{text}```\n"
        elif source in _TITLES:
            text = f"# {_TITLES[source]}\n\n```text\n{text}```\n"
        else:
            text = _rewrite_links(text, source, page, root)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Point links that leave ``docs/`` to those pages."""
    if page.file.generated_by is not None:
        return markdown
    source = page.file.src_uri
    return _rewrite_links(markdown, f"docs/{source}", source, Path(config.docs_dir).parent)


def _site_pages(root: Path) -> dict[str, str]:
    """Return the page of the site for each file of the repository."""
    recipes = sorted((root / "schemas" / "recipes").glob("*.toml"))
    return _PAGES | {f"schemas/recipes/{path.name}": f"recipes/{path.stem}.md" for path in recipes}


def _rewrite_links(text: str, source: str, page: str, root: Path) -> str:
    """Return the Markdown of ``source`` with its relative links rewritten for ``page`` of the site."""
    pages = _site_pages(root)

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        on_site = pages.get(target) or target.removeprefix("docs/")
        if target not in pages and not target.startswith("docs/"):
            return match[0]  # not on the site: the strict build reports it
        return match[1] + posixpath.relpath(on_site, posixpath.dirname(page) or ".")

    parts = _CODE.split(text)
    return "".join(part if i % 2 else _LINK.sub(link, part) for i, part in enumerate(parts))
