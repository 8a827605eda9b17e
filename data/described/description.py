"""The description of a corpus: a TOML file in :mod:`data.described.corpora`."""

from __future__ import annotations

import re
from functools import cache, cached_property
from importlib import resources
from string import Formatter
from typing import Self

from pydantic import Field, model_validator

from schemas.files.toml_text import parse_toml
from schemas.labels import EmotionName, Gender
from schemas.model import Model

_FOLDER = resources.files("data.described") / "corpora"
WHOLE = "whole"
"""Group of all that a pattern matches."""

_GROUPS = frozenset(
    {"id", "emotion", "speaker", "session", "gender", "female", "male", "sentence", "intensity", "repetition"}
)
_FEMALE_MALE = {"f": Gender.FEMALE, "female": Gender.FEMALE, "m": Gender.MALE, "male": Gender.MALE}


class LabelLists(Model):
    """Text files of a corpus that say which clip has which emotion."""

    files: str
    """Regular expression that matches the end of a list's path."""
    line: str
    """Regular expression that is searched for in each line; groups ``clip``, as the group ``id`` of the
    corpus's pattern, ``emotion``, and if the list rates clips ``valence``, ``arousal`` and ``dominance``."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not {"clip", "emotion"} <= re.compile(self.line).groupindex.keys():
            raise ValueError("line needs the groups clip and emotion")
        return self


class PublishedDescription(Model):
    """What is known about a published corpus.

    ``pattern`` is a regular expression that matches the end of a clip's path, without its suffix, in upper or
    lower case. Its groups: ``speaker``, or those of the field ``speaker``; ``emotion``, unless ``lists`` tell
    it; if file names tell them ``gender``, ``session``, ``sentence``, ``intensity``, ``repetition``;
    ``female`` and ``male`` for a pattern that matches only one of them; ``id`` if only part of the match
    identifies the clip.
    """

    title: str
    language: str
    """Codes of ISO 639-1."""
    licence: str
    home_page: str
    how_to_get: str
    expected_clips: int | None = Field(default=None, ge=1)
    folder_names: tuple[str, ...] = Field(min_length=1)
    pattern: str
    example: str
    """A path that matches, without its suffix."""
    acted: bool = True
    """Whether actors portray the emotions."""
    unconfirmed: str = ""
    """What the corpus's authors do not say, or what could not be checked; empty if nothing."""
    speaker: str = "{speaker}"
    """The speaker, from groups of the pattern in lower case."""
    lists: LabelLists | None = None
    """Where emotions are, if not in the names of files."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """Word or code in lower case → why a clip with it is no clip of an emotion."""
    emotions: dict[str, EmotionName] = Field(min_length=1)
    """Word or code in lower case → emotion."""
    genders: dict[str, Gender] = Field(default_factory=lambda: dict(_FEMALE_MALE))
    """Word of the group ``gender``, or speaker, in lower case → gender."""
    intensities: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        groups = self.expression.groupindex.keys()
        needed = {field for _, field, _, _ in Formatter().parse(self.speaker) if field}
        if missing := (needed | (set() if self.lists else {"emotion"})) - groups:
            raise ValueError(f"pattern has no group {', '.join(sorted(missing))}")
        if unknown := groups - _GROUPS - {WHOLE}:
            raise ValueError(f"pattern has an unknown group {', '.join(sorted(unknown))}")
        if not self.expression.fullmatch(self.example):
            raise ValueError(f"pattern does not match the example '{self.example}'")
        return self

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """Matches the path of a clip without its suffix, whatever folder it is in."""
        return re.compile(rf"(?:.*?/)?(?P<{WHOLE}>{self.pattern})", re.IGNORECASE)


def described_names() -> tuple[str, ...]:
    """Names of the corpora that have a description, sorted."""
    files = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


@cache
def read_description(name: str) -> PublishedDescription:
    """Description of the corpus ``name``, one of :func:`described_names`."""
    return PublishedDescription.model_validate(
        parse_toml((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    )
