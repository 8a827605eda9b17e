"""What a user may write after --datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.locate import locate
from data.request import Asked, parse_request
from schemas.errors import CorpusNotFoundError, SerError, UnknownNameError, UsageError


@pytest.mark.parametrize(
    ("request_", "parsed"),
    [
        ("all", {"all": None}),
        ("ravdess, tess", {"ravdess": None, "tess": None}),
        ("a=/x,b", {"a": "/x", "b": None}),
        ('a="/calls, 2024"', {"a": "/calls, 2024"}),
        ('"a=/calls, 2024",b', {"a": "/calls, 2024", "b": None}),
        ('b , a = "/calls, 2024" , c="/d,e=f"', {"b": None, "a": "/calls, 2024", "c": "/d,e=f"}),
        ('a=/x"y', {"a": '/x"y'}),
        ('a=/7" vinyl,b=/12" vinyl', {"a": '/7" vinyl', "b": '/12" vinyl'}),
        ("a=/x=y", {"a": "/x=y"}),
    ],
)
def test_a_comma_separates_unless_it_is_quoted(request_: str, parsed: dict[str, str | None]) -> None:
    assert parse_request(request_) == {
        name: Asked(None if path is None else Path(path)) for name, path in parsed.items()
    }


def test_a_table_may_be_followed_by_the_names_of_its_columns() -> None:
    text = 'a=/x/b.csv:emotion=mood:speaker="called, by",c=/x:file'
    assert parse_request(text) == {
        "a": Asked(Path("/x/b.csv"), {"emotion": "mood", "speaker": "called, by"}),
        "c": Asked(Path("/x:file")),
    }


@pytest.mark.parametrize("request_", ["", ",", "a,", "a=", 'a=""', "a= ", 'a=" "', "=x", "a,,b"])
def test_an_empty_name_or_path_is_refused(request_: str) -> None:
    with pytest.raises(UsageError):
        parse_request(request_)


@pytest.mark.parametrize("exists", [True, False])
def test_a_path_that_is_split_at_its_comma_is_told_so(exists: bool, tree) -> None:
    root = tree("calls, 2024/angry/a.wav", *(["calls/angry/a.wav"] if exists else []))
    with pytest.raises(SerError, match="a comma separates corpora") as caught:
        locate(f"calls={root}/calls, 2024", root)
    assert isinstance(caught.value, UnknownNameError if exists else CorpusNotFoundError)
    (corpus, path) = locate(f'calls="{root}/calls, 2024"', root).found[0]
    assert (corpus.name, path) == ("calls", root / "calls, 2024")
