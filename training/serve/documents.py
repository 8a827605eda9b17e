"""The JSON documents of the service. Those of predictions are those of ``ser-predict --json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NotRequired

from typing_extensions import TypedDict

from data.registry import find_corpus
from schemas.errors import RunError
from schemas.messages.printable import escape_controls
from training.predict.ensemble import Ensemble
from training.predict.json_rows import JSON_FORMAT, ClipJson, prediction_json
from training.predict.worth import ValueWorthJson, Worth, WorthJson, worth_json
from training.runs.elsewhere import name_parts
from training.runs.hashes import read_hashes
from training.runs.run import RunFolder
from training.runs.series import SeriesFolder
from training.serve.limits import ServiceLimits
from training.serve.model import Heard

_WEIGHTS = ("checkpoints/best.safetensors", "linear.safetensors", "normalisation.safetensors", "run.json")
_MOST_CARD = 2**20


class AnsweredClipJson(ClipJson):
    """A clip as ``ser-predict --json`` describes it, with remarks."""

    notes: list[str]


class OutputsJson(TypedDict):
    """What a model predicts."""

    emotions: NotRequired[list[str]]
    """In the model's order; missing for a regression."""
    dimensions: NotRequired[list[str]]
    """What a regression predicts; missing for a classifier."""


class AnswerJson(OutputsJson):
    """The answer to a request for predictions."""

    format: int
    models: list[WorthJson | ValueWorthJson]
    clips: list[AnsweredClipJson]
    detail: NotRequired[str]
    """If no clip has a prediction: why."""


class DetailJson(TypedDict):
    """Why a request was refused, in one sentence."""

    detail: str


class CorpusJson(TypedDict):
    """A corpus that a model was trained on."""

    name: str
    title: str | None
    licence: str | None
    """Null for a corpus of the user's own."""


class ServedRunJson(TypedDict):
    """A run or series: how good it is, what it learnt from, and which files it is."""

    tested: WorthJson | ValueWorthJson
    model: str
    sentence: str
    """Protocol and result in words."""
    trained_on: list[CorpusJson]
    speakers: int
    """Number of speakers of the training and validation sides."""
    store_digest: str
    sha256: dict[str, str]
    """Hashes of the files that predictions depend on, by path within the run."""
    card: str | None
    """The model card, Markdown."""


class LimitsJson(TypedDict):
    """Limits for clients."""

    file_mb: float
    recording_s: float
    files: int
    requests_per_minute: float | None
    stream_s: float


class ModelJson(OutputsJson):
    """What is served."""

    format: int
    version: str
    runs: list[ServedRunJson]
    window_s: float
    """Seconds of a clip that the model hears."""
    longest_s: float
    """Seconds of a recording that one prediction covers."""
    limits: LimitsJson


class Documents:
    """Documents about runs, whose facts are read once."""

    def __init__(self, runs: Sequence[Path], ensemble: Ensemble, limits: ServiceLimits) -> None:
        """Raises :class:`RunError` if a run cannot be read."""
        regression = bool(ensemble.dimensions)
        self._runs = [_served_run(run, regression=regression) for run in runs]
        self._ensemble = ensemble
        self._limits = limits

    @property
    def title(self) -> str:
        """``model A, speaker-independent (protocol: speaker): UA 49.6 % (…)``, or the number of runs."""
        if len(self._runs) > 1:
            return f"the mean of {len(self._runs)} runs"
        return f"model {self._runs[0]['model']}, {self._runs[0]['sentence']}"

    def answer(self, clips: Sequence[AnsweredClipJson]) -> AnswerJson:
        """Answer with predictions, or with the reason if there are none."""
        document: AnswerJson = {
            "format": JSON_FORMAT,
            "models": [run["tested"] for run in self._runs],
            "clips": list(clips),
        }
        self._add_outputs(document)
        problems = [clip["problem"] for clip in clips]
        if all(problems):
            document["detail"] = f"{clips[0]['clip']}: {problems[0]}"
        return document

    def model(self) -> ModelJson:
        """What is served."""
        ensemble, limits = self._ensemble, self._limits
        document: ModelJson = {
            "format": JSON_FORMAT,
            "version": version("ser-features"),
            "runs": self._runs,
            "window_s": ensemble.window_s,
            "longest_s": ensemble.longest_s,
            "limits": {
                "file_mb": limits.max_mb,
                "recording_s": limits.max_seconds,
                "files": limits.max_files,
                "requests_per_minute": limits.rate,
                "stream_s": limits.max_stream_seconds,
            },
        }
        self._add_outputs(document)
        return document

    def _add_outputs(self, document: OutputsJson) -> None:
        if self._ensemble.dimensions:
            document["dimensions"] = list(self._ensemble.dimensions)
        else:
            document["emotions"] = list(self._ensemble.emotions)


def clip_json(name: str, heard: Heard | str) -> AnsweredClipJson:
    """A clip with its predictions, or with the problem that prevents any."""
    if isinstance(heard, str):
        return {"clip": name, "problem": heard, "predictions": [], "notes": []}
    rows = [prediction_json(each) for each in heard.predictions]
    return {"clip": name, "problem": None, "predictions": rows, "notes": list(heard.notes)}


def encode(document: AnswerJson | ModelJson | DetailJson) -> bytes:
    """A document as JSON in UTF-8."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")


def _served_run(run: Path, *, regression: bool) -> ServedRunJson:
    """Facts about a run or series. Clients learn its name, not where it is on this machine."""
    name = Path(name_parts(run)[-1])
    worth = Worth.of(run)
    known = None if worth is None else worth.model_copy(update={"run": str(name)})
    folders = [run]
    if SeriesFolder.is_one(run):
        series = SeriesFolder.open(run)
        folders = [series.fold(number) for number in range(1, len(series.record().folds) + 1)]
    records = [RunFolder.find(folder).record() for folder in folders]
    speakers = {speaker for record in records for speaker in record.heard}
    return {
        "tested": worth_json(name, known, regression=regression),
        "model": records[0].recipe.model.name,
        "sentence": "not tested yet" if worth is None else worth.sentence,
        "trained_on": [_corpus(each) for each in sorted({who.partition("/")[0] for who in speakers})],
        "speakers": len(speakers),
        "store_digest": records[0].store_digest,
        "sha256": {
            str((folder / file).relative_to(run)): stored.sha256
            for folder in folders
            for file, stored in (read_hashes(folder) or {}).items()
            if file in _WEIGHTS
        },
        "card": _card(run),
    }


def _corpus(name: str) -> CorpusJson:
    found = find_corpus(name)
    if found is None:
        return {"name": name, "title": None, "licence": None}
    return {"name": name, "title": found.title, "licence": found.licence}


def _card(run: Path) -> str | None:
    try:
        with (run / "README.md").open("rb") as file:
            return escape_controls(file.read(_MOST_CARD).decode("utf-8", "replace"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(
            f"cannot read {run / 'README.md'}: {error.strerror or error}; check the path"
        ) from error
