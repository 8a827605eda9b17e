"""``store.json`` as JSON text: broken, deep, repeated, endless."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.hostile.forge import Forge
from tests.hostile.stores.registry import add, hostile


def _text(change: Callable[[str], str]) -> Callable[[Forge], None]:
    return lambda forge: forge.write_text(change(json.dumps(forge.document, ensure_ascii=False)))


_JSON: list[tuple[str, str, Callable[[Forge], None]]] = [
    ("no JSON", "JSON", _text(lambda text: "")),
    ("a list for a document", "as a whole", _text(lambda text: "[]")),
    ("null for a document", "as a whole", _text(lambda text: "null")),
    ("half a document", "JSON", _text(lambda text: text[: len(text) // 2])),
    ("two documents", "trailing", _text(lambda text: text + text)),
    ("JSON a hundred thousand deep", "recursion", _text(lambda text: '{"objects":' * 100_000)),
    ("lists a million deep", "store.json", _text(lambda text: "[" * 10**6)),
    ("two million values", "values", _text(lambda text: '{"objects":[' + "1," * 2 * 10**6 + "1]}")),
    (
        "a hundred thousand unknown keys",
        "store.json",
        _text(lambda text: text[:-1] + "".join(f',"{i}":0' for i in range(10**5)) + "}"),
    ),
    (
        "a number of a million digits",
        "number",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": ' + "9" * 10**6)),
    ),
    (
        "a number of a billion as 1e9",
        "feature_version",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": 1e9, "x": ')),
    ),
    (
        "not a number",
        "feature_version",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": NaN, "x": ')),
    ),
    (
        "infinity",
        "feature_version",
        _text(lambda text: text.replace('"feature_version": ', '"feature_version": Infinity, "x": ')),
    ),
    (
        "a key twice",
        "'digest' appears twice",
        _text(lambda text: text[:-1] + ', "digest": ' + text.split('"digest": ')[1].split(",")[0] + "}"),
    ),
    ("half a surrogate pair", "JSON", _text(lambda text: text.replace('"title": "', '"title": "\\ud800'))),
    ("a surrogate in UTF-8", "unicode", _text(lambda text: text.replace('"title": "', '"title": "\ud800'))),
    ("control characters in text", "control", _text(lambda text: text.replace('"title": "', '"title": "\0'))),
    (
        "numbers as text",
        "bytes",
        _text(
            lambda text: text.replace('"bytes": ', '"bytes": "', 1).replace(', "sha256"', '", "sha256"', 1)
        ),
    ),
    ("a key of a megabyte", "store.json", _text(lambda text: text[:-1] + f', "{"k" * 2**20}": 1}}')),
]
for _name, _message, _make in _JSON:
    add(_name, "open", _message, _make)


@hostile("open", "JSON")
def utf_16(forge: Forge) -> None:
    (forge.folder / "store.json").write_bytes(json.dumps(forge.document).encode("utf-16"))


@hostile("open", "bytes, but at most")
def a_terabyte_of_nothing(forge: Forge) -> None:
    with (forge.folder / "store.json").open("r+b") as file:
        file.truncate(2**40)
