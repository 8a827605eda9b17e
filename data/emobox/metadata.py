"""EmoBox's metadata of one corpus: its recordings, their labels, and the fold in which each is tested.

Ma et al. 2024, EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark. Its folder
``data/NAME`` holds ``label_map.json`` and, for each fold K, ``fold_K/NAME_train_fold_K.jsonl`` and
``…_test_…``; some corpora have a validation list, ``…_valid_…``, too. A line is a JSON object with ``key``,
``wav`` (``downloads/NAME/…``) and ``emo``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from data.files import list_visible
from data.tables.table import RecordingTable, read_table
from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text
from schemas.folds import TRAIN, VALIDATION, name_fold, number_of_fold
from schemas.messages.counts import choose_form, format_count

LABEL_MAP = "label_map.json"

Part = Literal["train", "valid", "test"]

_LIST = re.compile(rf"(.+)_({'|'.join(get_args(Part))})_fold_([0-9]+)\.jsonl")
_PARTS: Mapping[str, Part] = {part: part for part in get_args(Part)}
_FIELDS = ("key", "wav", "emo")


@dataclass(frozen=True)
class ListedClip:
    """A recording in EmoBox's lists."""

    key: str
    """Name of the recording, such as ``ravdess-03-01-07-02-02-02-11``."""
    wav: str
    """Its path, ``downloads/NAME/…``."""
    label: str
    split: str
    """``fold_K`` if it is tested in fold K; else ``train``, or ``validation`` of the only fold."""


@dataclass(frozen=True)
class Metadata:
    """What EmoBox says of one corpus."""

    folder: Path
    dataset: str
    """EmoBox's name of the corpus."""
    folds: int
    clips: tuple[ListedClip, ...]
    label_map: Mapping[str, str]
    """Label in lower case → word for an emotion."""
    notices: tuple[str, ...] = ()


@dataclass
class _Entry:
    wav: str
    label: str
    parts: dict[int, Part] = field(default_factory=dict)
    """Fold → part of it that lists the recording."""


def is_metadata(folder: Path) -> bool:
    """Whether ``folder`` holds lists of EmoBox."""
    return any(part == "test" for _, _, part, _ in _lists(folder))


def read_metadata(folder: Path) -> Metadata:
    """Read the lists of all folds.

    Raises :class:`CorpusError` if a list is missing or unusable, if two lines contradict each other, or if a
    recording is tested in several folds.
    """
    found = [*_lists(folder)]
    names = sorted({dataset for _, dataset, _, _ in found})
    if len(names) != 1:
        raise CorpusError(
            f"'{folder}' has lists of {' and '.join(names) or 'no corpus'}; give a folder of EmoBox with the "
            f"lists of one corpus, such as data/ravdess"
        )
    (dataset,) = names
    folds = max(fold for *_, fold in found)
    paths = {(fold, part): path for path, _, part, fold in found}
    for fold in range(1, folds + 1):
        for part in ("train", "test"):
            if (fold, part) not in paths:
                raise CorpusError(
                    f"'{folder}' lacks the list fold_{fold}/{dataset}_{part}_fold_{fold}.jsonl; get a fresh "
                    f"copy of EmoBox's data/{dataset}"
                )
    entries: dict[str, _Entry] = {}
    for (fold, part), path in sorted(paths.items()):
        _add_list(entries, path, fold, part)
    return Metadata(
        folder=folder,
        dataset=dataset,
        folds=folds,
        clips=tuple(
            ListedClip(key, entry.wav, entry.label, _split_of(folder, key, entry, folds))
            for key, entry in entries.items()
        ),
        label_map=_read_label_map(folder / LABEL_MAP),
        notices=tuple(_notices(entries, folds)),
    )


def _lists(folder: Path) -> Iterator[tuple[Path, str, Part, int]]:
    """Path, corpus, part and fold of each list."""
    for inner in list_visible(folder):
        number = number_of_fold(inner.name)
        if number is None or not inner.is_dir():
            continue
        for path in list_visible(inner):
            named = _LIST.fullmatch(path.name)
            if named is not None and named[3] == str(number):
                yield path, named[1], _PARTS[named[2]], number


def _add_list(entries: dict[str, _Entry], path: Path, fold: int, part: Part) -> None:
    table = read_table(path, _FIELDS)
    places = {name: index for index, name in enumerate(table.columns)}
    if missing := [name for name in _FIELDS if name not in places]:
        raise CorpusError(
            f"the list '{path}' has no field '{missing[0]}', only {', '.join(table.columns[:12])}; get a "
            f"fresh copy of EmoBox's metadata"
        )
    _require_whole_recordings(table, places)
    for index, row in enumerate(table.rows):
        key, wav, label = (row[places[name]] for name in _FIELDS)
        at = f"{table.where(index)} of '{path}'"
        if not key or not wav or not label:
            raise CorpusError(f"{at} lacks {', '.join(_FIELDS)}; get a fresh copy of EmoBox's metadata")
        entry = entries.setdefault(key, _Entry(wav, label))
        if (entry.wav, entry.label) != (wav, label):
            raise CorpusError(
                f"{at} gives {key} the emotion '{label}' and the file '{wav}', but an earlier line "
                f"'{entry.label}' and '{entry.wav}'; get a fresh copy of EmoBox's metadata"
            )
        if entry.parts.setdefault(fold, part) != part:
            raise CorpusError(
                f"{at} lists {key}, which is also in the {entry.parts[fold]} list of fold_{fold}; get a "
                f"fresh copy of EmoBox's metadata"
            )


def _require_whole_recordings(table: RecordingTable, places: Mapping[str, int]) -> None:
    for name in ("start_time", "end_time"):
        if name in places and any(row[places[name]] for row in table.rows):
            raise CorpusError(
                f"the list '{table.path}' cuts recordings by its field '{name}', but a line must be a whole "
                f"recording; cut the recordings first, and leave out that field"
            )


def _split_of(folder: Path, key: str, entry: _Entry, folds: int) -> str:
    tested = [fold for fold, part in sorted(entry.parts.items()) if part == "test"]
    if len(tested) > 1:
        raise CorpusError(
            f"'{folder}' tests {key} in fold_{tested[0]} and in fold_{tested[1]}, but a clip can be tested "
            f"in one fold only; leave out the folder of one fold"
        )
    if tested:
        return name_fold(tested[0])
    return VALIDATION if folds == 1 and entry.parts[1] == "valid" else TRAIN


def _read_label_map(path: Path) -> dict[str, str]:
    try:
        values = json.loads(decode_text(read_regular_file(path)))
    except (TextError, ValueError, RecursionError) as error:
        raise CorpusError(f"'{path}' is not a JSON object of words for emotions: {error}") from error
    except OSError as error:
        raise CorpusError(
            f"cannot read '{path}': {error.strerror or error}; it maps EmoBox's labels to emotions: get a "
            f"fresh copy of EmoBox's metadata"
        ) from error
    if not isinstance(values, dict) or not all(isinstance(word, str) for word in values.values()):
        raise CorpusError(f"'{path}' is not a JSON object of words for emotions; get a fresh copy")
    return {label.casefold(): word for label, word in values.items()}


def _notices(entries: Mapping[str, _Entry], folds: int) -> Iterator[str]:
    for fold in range(1, folds + 1):
        absent = sum(fold not in entry.parts for entry in entries.values())
        if absent:
            yield (
                f"fold_{fold} of EmoBox lists neither for training nor for the test "
                f"{format_count(absent, 'recording')} that other folds list; here "
                f"{choose_form(absent, 'it is', 'they are')} in its training"
            )
