"""TOML text that a user wrote, parsed within bounds."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_MOST_PARTS = 32
_LONG_KEY = re.compile(rf"""(?<![\w"'-])(?:[\w"'-]+[ \t]*\.[ \t]*){{{_MOST_PARTS}}}""")
"""A dotted key of so many parts that the parser would take time and memory by the square of their number."""


class TomlError(ValueError):
    """The text is not TOML that this program reads; the message continues a sentence about its source."""


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML text.

    Raises :class:`TomlError`. Its message follows the name of the text: "is not valid TOML: …".
    """
    if _LONG_KEY.search(text):
        raise TomlError(f"has a dotted key of more than {_MOST_PARTS} parts; shorten it")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"is not valid TOML: {error}; strings must be quoted") from error
    except RecursionError as error:
        raise TomlError("has brackets that are nested too deeply; remove some levels") from error
    except ValueError as error:  # a whole number that Python refuses to convert
        raise TomlError("has a number of thousands of digits; shorten it") from error
