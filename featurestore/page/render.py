"""From a template and values to one HTML file.

A page is ``page.html`` of this package, extended by a template of the package that fills it. Every value is
escaped: names of clips and speakers come from whoever made the store. The page forbids itself, by its own
content security policy, scripts and whatever is not in the file.
"""

from __future__ import annotations

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def render(package: str, template: str, **values: Any) -> str:
    """HTML of ``template`` in the folder ``templates`` of ``package``, which extends ``page.html``."""
    return templates(package, "featurestore.page").get_template(template).render(values) + "\n"


def templates(*packages: str) -> Environment:
    """Templates of the folders ``templates`` of ``packages``, the first that has one of a name. Whatever they
    are given is escaped, and one that is not given is an error.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
