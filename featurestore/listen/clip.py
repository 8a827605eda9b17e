"""Find the clip to listen to: its recording, and the specification of its views."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from data.locate import locate
from data.registry import CORPORA
from data.scanning import scan_corpus
from featurestore.format.layout import LATEST, ROOT_METADATA, STORE_JSON
from featurestore.places.choose import is_url
from featurestore.store import FeatureStore
from pipelines.segments import Segment
from pipelines.version import FEATURE_VERSION
from schemas.clip import Clip, Scan, Status
from schemas.defaults import DEFAULT_RECIPE
from schemas.errors import CorpusNotFoundError, SpecError, StoreConflictError, UnknownNameError, UsageError
from schemas.files.formats import AUDIO_SUFFIXES
from schemas.names import nfc
from schemas.recipe import first_problem, load_recipe
from schemas.spec import StoreSpec

_MOST_NAMED = 3


@dataclass(frozen=True)
class ListenRequest:
    """What the user asks for; None: not given.

    ``what``: a store (folder or URL), or a corpus as ``build --datasets`` takes it.
    ``clip``: the id of the clip, a unique part of the id, or the path of the recording.
    ``datasets``: for a clip of a store, the location of its corpus as NAME=PATH.
    """

    what: str
    clip: str
    corpora: Path
    datasets: str | None = None
    augment: int | None = None
    recipe: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class StoredView:
    """What a store records for one view of a clip: its drawn value (None: the original) and random key."""

    parameter: float | None
    key: str


@dataclass(frozen=True)
class Subject:
    """A clip to listen to.

    ``sha256`` and ``stored`` (view name → what the store records) come from a store; None for a bare corpus.
    """

    clip_id: str
    recording: Path
    spec: StoreSpec
    sha256: str | None = None
    stored: Mapping[str, StoredView] | None = None
    segment: Segment | None = None
    """Part of the recording; None: all of it."""


def find_subject(request: ListenRequest) -> Subject:
    """Find the clip that is asked for.

    Raises :class:`UnknownNameError`, suggesting similar clips, if there is no such clip; :class:`UsageError`
    if options do not fit, or the clip is bad in the store; :class:`CorpusNotFoundError` if the corpus or the
    recording is missing; :class:`StoreConflictError` if another version of the pipeline built the store; and
    what :meth:`FeatureStore.open` raises.
    """
    return _of_store(request) if _names_store(request.what) else _of_corpus(request)


def _names_store(what: str) -> bool:
    """Whether ``what`` is a store rather than a corpus; an existing store takes precedence."""
    path = Path(what)
    if is_url(what) or any((path / name).exists() for name in (STORE_JSON, ROOT_METADATA, LATEST)):
        return True
    if "=" in what or what in CORPORA:
        return False
    return path.exists() or "/" in what or "@" in what or path.suffix.lower() == ".zarr"


def _of_store(request: ListenRequest) -> Subject:
    if any(option is not None for option in (request.augment, request.recipe, request.seed)):
        raise UsageError(
            f"{request.what} is a store, which has its own views; leave out --augment, --recipe and --seed"
        )
    store = FeatureStore.open(request.what)
    if store.document.feature_version != FEATURE_VERSION:
        raise StoreConflictError(
            f"{request.what} was built by version {store.document.feature_version} of the pipeline, but "
            f"this program has version {FEATURE_VERSION}, whose views may differ; "
            f"install the release that built it"
        )
    manifest = store.manifest
    row = find_clip(request.clip, list(manifest["clip_id"]), list(manifest["path"]), request.what)
    clip = manifest.iloc[row]
    clip_id, dataset = str(clip["clip_id"]), str(clip["dataset"])
    if clip["status"] != Status.OK:
        raise UsageError(
            f"{clip_id} has no views because its recording is bad ({clip['problem']}); choose another clip"
        )
    scan = _scan_of_store(request, clip_id, dataset)
    found = _find_in(scan, clip_id, str(clip["path"]))
    if found is None:
        raise CorpusNotFoundError(
            f"the recording of {clip_id} is not in '{scan.root}'; complete the corpus, or give the folder "
            f"that has the recording as --datasets {dataset}=PATH"
        )
    views = store.views.iloc[row * len(store.spec.view_names) :][: len(store.spec.view_names)]
    stored = {
        str(name): StoredView(None if isnan(value) else float(value), str(key))
        for name, value, key in zip(views["name"], views["parameter"], views["key"], strict=True)
    }
    sha256 = str(clip["audio_sha256"])
    segment = _segment_of(found) if found.clip_id == clip_id else _stored_segment(clip)
    return Subject(clip_id, scan.root / found.path, store.spec, sha256, stored, segment)


def _find_in(scan: Scan, clip_id: str, path: str) -> Clip | None:
    """The clip of a scan, or the whole recording from which the build cut it."""
    whole = None
    for clip in scan.clips:
        if clip.clip_id == clip_id:
            return clip
        if clip.path == path and not clip.is_segment and clip_id.startswith(f"{clip.clip_id}#"):
            whole = clip
    return whole


def _stored_segment(row: pd.Series) -> Segment:
    """Part of its recording that a row of the manifest is; NaN as the end is the end of the recording."""
    return Segment(float(row["start_s"]), None if isnan(row["end_s"]) else float(row["end_s"]))


def _segment_of(clip: Clip) -> Segment | None:
    return Segment(clip.start_s or 0.0, clip.end_s) if clip.is_segment else None


def _scan_of_store(request: ListenRequest, clip_id: str, dataset: str) -> Scan:
    """Scan the corpus of a stored clip, where ``--datasets`` says or under the corpora folder."""
    if request.datasets is not None:
        return _scan(request.datasets, request.corpora)
    try:
        return _scan(dataset, request.corpora)
    except (CorpusNotFoundError, UnknownNameError) as error:
        kind = UnknownNameError if isinstance(error, UnknownNameError) else CorpusNotFoundError
        beside = request.corpora / dataset
        raise kind(
            f"the recording of {clip_id} is needed, but the corpus {dataset} was not found under "
            f"'{request.corpora}'; add --datasets {dataset}={beside if beside.is_dir() else 'PATH'}"
        ) from error


def _of_corpus(request: ListenRequest) -> Subject:
    if request.datasets is not None:
        raise UsageError(f"{request.what} is a corpus, but --datasets is for a clip of a store; leave it out")
    try:
        recipe = load_recipe(request.recipe or DEFAULT_RECIPE)
        spec = recipe.store_spec(request.augment, request.seed or 0)
    except ValidationError as error:
        raise SpecError(first_problem(error)) from error
    scan = _scan(request.what, request.corpora)
    ids, paths = [clip.clip_id for clip in scan.clips], [clip.path for clip in scan.clips]
    clip = scan.clips[find_clip(request.clip, ids, paths, scan.dataset)]
    return Subject(clip.clip_id, scan.root / clip.path, spec, segment=_segment_of(clip))


def _scan(request: str, corpora: Path) -> Scan:
    found = locate(request, corpora).found
    if len(found) != 1:
        names = ", ".join(corpus.name for corpus, _ in found)
        raise UsageError(f"'{request}' names more than one corpus ({names}); name the one with the clip")
    ((corpus, folder),) = found
    return scan_corpus(corpus, folder)


def find_clip(wanted: str, ids: Sequence[str], paths: Sequence[str], where: str) -> int:
    """Index of the clip that ``wanted`` names: its id, its path, or a part of either.

    Raises :class:`UnknownNameError` if no clip matches, suggesting similar ids, or if several match.
    """
    equal = [i for i, clip_id in enumerate(ids) if clip_id == wanted]
    name, named_ids, named_paths = nfc(wanted), [*map(nfc, ids)], [*map(nfc, paths)]
    exact = [i for i, clip_id in enumerate(named_ids) if clip_id == name]
    by_path = [i for i, path in enumerate(named_paths) if path == name or name.endswith(f"/{path}")]
    part = [i for i, clip_id in enumerate(named_ids) if name and name.casefold() in clip_id.casefold()]
    in_path = [i for i, path in enumerate(named_paths) if name and name.casefold() in path.casefold()]
    for found in (equal, exact, by_path, part, in_path):
        if len(found) == 1:
            return found[0]
        if found:
            named = ", ".join(ids[i] for i in found[:_MOST_NAMED])
            raise UnknownNameError(
                f"'{wanted}' matches {len(found):,} clips of {where}, such as {named}; give more of the id"
            )
    short = {clip_id.rpartition("/")[2]: clip_id for clip_id in ids}
    stem = wanted.rpartition("/")[2]
    stem = stem.removesuffix(suffix) if (suffix := Path(stem).suffix).lower() in AUDIO_SUFFIXES else stem
    near = [short[name] for name in difflib.get_close_matches(stem, short, n=_MOST_NAMED, cutoff=0.5)]
    hint = f"; the closest are {', '.join(near)}" if near else ""
    raise UnknownNameError(f"{where} has no clip '{wanted}'{hint}")
