"""What the columns of a table mean: names that are understood, and names that a user maps."""

from __future__ import annotations

from collections.abc import Mapping

from data.own_recordings.table_fields import DIMENSIONS, TABLE_FIELDS, TableField
from data.tables.table import RecordingTable
from schemas.errors import CorpusError
from schemas.messages.nearest import did_you_mean
from schemas.names import fold_name

_NAMES: Mapping[TableField, str] = {
    "file": "file path wav filename file_name filepath file_path wav_path audio audio_path audio_file",
    "emotion": "emotion label emo emotion_label category class",
    "speaker": "speaker speaker_id spk spk_id speakerid actor actor_id subject",
    "gender": "gender sex speaker_gender",
    "sentence": "sentence text transcription transcript utterance sentence_id",
    "intensity": "intensity level emotion_intensity",
    "language": "language lang",
    "session": "session",
    "split": "split",
    "start": "start start_time starts",
    "end": "end end_time ends",
    "valence": "valence",
    "arousal": "arousal activation",
    "dominance": "dominance",
}
"""Names of each field, the preferred one first; compared by :func:`schemas.names.fold_name`."""

KNOWN_COLUMNS = frozenset(name for names in _NAMES.values() for name in names.split())


def match_columns(table: RecordingTable, own: Mapping[TableField, str]) -> dict[TableField, int]:
    """Index of the column of each field that the table has; ``own`` maps fields to columns with other names.

    Raises :class:`CorpusError` if a column of ``own`` does not exist, if there is no column with the file, or
    if there is none with the emotion or one of the dimensions.
    """
    places = {fold_name(name): index for index, name in reversed([*enumerate(table.columns)])}
    found: dict[TableField, int] = {}
    for field in TABLE_FIELDS:
        if field in own:
            if fold_name(own[field]) not in places:
                raise CorpusError(
                    f"the table '{table.path}' has no column '{own[field]}' for {field}; "
                    f"{did_you_mean(own[field], table.columns)}it has {_listed(table)}"
                )
            found[field] = places[fold_name(own[field])]
            continue
        names = [fold_name(name) for name in _NAMES[field].split()]
        index = next((places[name] for name in names if name in places), None)
        if index is not None:
            found[field] = index
    required: tuple[TableField, ...] = ("file", "emotion")
    for field in required:
        if field not in found and not (field == "emotion" and found.keys() & {*DIMENSIONS}):
            raise CorpusError(
                f"the table '{table.path}' has no column '{field}', only {_listed(table)}; name the column "
                f"behind the path, as in NAME={table.path.name}:{field}=COLUMN"
            )
    return found


def _listed(table: RecordingTable) -> str:
    shown = ", ".join(table.columns[:12])
    return f"{shown}, …" if len(table.columns) > 12 else shown
