"""Rendering of a template and its values to one HTML file.

A page is ``page.html`` of this package, extended by a template of another package. Every value is escaped,
because names of clips and speakers come from whoever made the store. Their control characters are shown. The
content security policy of the page forbids scripts and everything outside the file.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from schemas.messages.printable import escape_controls


def render(package: str, template: str, **values: Any) -> str:
    """Render ``template`` from the folder ``templates`` of ``package``; it extends ``page.html``."""
    page = templates(package, "featurestore.page").get_template(template).render(values)
    return escape_controls(page) + "\n"


@cache
def templates(*packages: str) -> Environment:
    """The templates in the folders ``templates`` of ``packages``; the first package with a name wins.

    Every value is escaped, and a missing value is an error. A process compiles its templates once: it takes
    longer than filling them in, and a series has a page per fold.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
