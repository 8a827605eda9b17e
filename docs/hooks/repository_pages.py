"""Files of the repository that pages link to are pages of the site, too: README, changes, licence, recipes.

On GitHub ``../README.md#commands`` is the file; on the site it is the page that is made of it here. So every
link is written once, as GitHub wants it, and ``mkdocs build --strict`` checks it.
"""  # noqa: INP001 no package: MkDocs loads it by its path

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
"""Of files that are shown as they are."""
_LINK = re.compile(r"(\]\(|\bsrc=\"|\bhref=\")(?!https?:|mailto:|#)([^)\s\"#]+)")
_CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of files outside of ``docs/``."""
    root = Path(config.docs_dir).parent
    for source, page in _site_pages(root).items():
        text = (root / source).read_text(encoding="utf-8")
        if source.endswith(".toml"):
            text = f"# Recipe `{Path(source).stem}`\n\n```toml\n{text}```\n"
        elif source in _TITLES:
            text = f"# {_TITLES[source]}\n\n```text\n{text}```\n"
        else:
            text = _rewritten(text, source, page, root)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Let links that leave ``docs/`` lead to those pages."""
    if page.file.generated_by is not None:
        return markdown
    source = page.file.src_uri
    return _rewritten(markdown, f"docs/{source}", source, Path(config.docs_dir).parent)


def _site_pages(root: Path) -> dict[str, str]:
    """File of the repository → page of the site."""
    recipes = sorted((root / "schemas" / "recipes").glob("*.toml"))
    return _PAGES | {f"schemas/recipes/{path.name}": f"recipes/{path.stem}.md" for path in recipes}


def _rewritten(text: str, source: str, page: str, root: Path) -> str:
    """Markdown of the file ``source``, its relative links as they lead on from ``page`` of the site."""
    pages = _site_pages(root)

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        on_site = pages.get(target) or target.removeprefix("docs/")
        if target not in pages and not target.startswith("docs/"):
            return match[0]  # nothing of the site: the strict build complains
        return match[1] + posixpath.relpath(on_site, posixpath.dirname(page) or ".")

    parts = _CODE.split(text)
    return "".join(part if i % 2 else _LINK.sub(link, part) for i, part in enumerate(parts))
