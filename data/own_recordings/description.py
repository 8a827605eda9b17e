"""``corpus.toml``: what a user says about their own recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, field_validator, model_validator

from data.own_recordings.emotion_words import COMMON_WORDS, word_key
from data.own_recordings.speaker_pattern import compile_pattern
from data.own_recordings.speakers import gender_of
from data.own_recordings.table_fields import TableField
from data.registry import CORPORA
from schemas.errors import CorpusError, UsageError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text
from schemas.files.toml_text import TomlError, parse_toml
from schemas.labels import EmotionName, Gender
from schemas.model import Model
from schemas.names import RESERVED, is_corpus_name, nfc
from schemas.recipe import first_problem

DESCRIPTION = "corpus.toml"
"""Name of the file that describes own recordings, in their folder."""


class Description(Model):
    """Content of ``corpus.toml``."""

    name: str | None = None
    title: str = ""
    licence: str = ""
    home_page: str = ""
    speaker: str | None = None
    speakers: str | None = None
    table: str | None = None
    """Table with one row per recording, below the folder; instead of one folder per emotion."""
    columns: dict[TableField, str] = Field(default_factory=dict)
    """Columns of the table that have other names."""
    genders: dict[str, Gender] = Field(default_factory=dict)
    emotions: dict[str, EmotionName] = Field(default_factory=dict)

    @field_validator("speaker")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            compile_pattern(pattern)
        return pattern

    @field_validator("genders", mode="before")
    @classmethod
    def _read_genders(cls, genders: object) -> object:
        if not isinstance(genders, dict):
            return genders
        return {nfc(speaker): gender_of(word) or word for speaker, word in genders.items()}

    @field_validator("emotions")
    @classmethod
    def _check_emotions(cls, emotions: dict[str, str]) -> dict[str, str]:
        for emotion in emotions.values():
            known = COMMON_WORDS.get(word_key(emotion), emotion)
            if known != emotion:
                raise ValueError(f"'{emotion}' is a word for {known}; write {known}")
        return emotions

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.speaker is not None and self.speakers is not None:
            raise ValueError("give either 'speaker' or 'speakers', not both")
        return self


def read_description(root: Path) -> Description:
    """Read ``corpus.toml`` in ``root``; empty if there is none. Raises :class:`CorpusError`."""
    path = root / DESCRIPTION
    if not path.exists():
        return Description()
    try:
        return Description.model_validate(parse_toml(decode_text(read_regular_file(path))))
    except OSError as error:
        raise CorpusError(
            f"cannot read '{path}': {error.strerror or error}; put a text file there, or remove it"
        ) from error
    except (TextError, TomlError) as error:
        raise CorpusError(f"'{path}' {error}") from error
    except ValidationError as error:
        raise CorpusError(f"'{path}': {first_problem(error)}") from error


def require_own_name(name: str) -> None:
    """Raise :class:`UsageError` if own recordings cannot have this name."""
    if problem := name_problem(name):
        raise UsageError(f"a corpus cannot be named '{name}': {problem}")


def name_problem(name: str) -> str:
    """Why own recordings cannot have this name as a corpus; empty if they can."""
    if name in RESERVED:
        return "the name is reserved"
    if not is_corpus_name(name):
        return "use up to 32 characters of a–z, 0–9, _ and -, starting with a letter or digit"
    return "this is the name of a known corpus" if name in CORPORA else ""


def default_name(root: Path, description: Description) -> str:
    """Name in the description, or that of the folder. Raises :class:`CorpusError` if it is not possible."""
    name = description.name or re.sub(r"\s+", "-", root.resolve().name.lower())
    if problem := name_problem(name):
        raise CorpusError(
            f"the corpus at '{root}' cannot be named '{name}': {problem}; set name in {DESCRIPTION}"
        )
    return name
