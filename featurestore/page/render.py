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
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("featurestore.page")])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(values) + "\n"
