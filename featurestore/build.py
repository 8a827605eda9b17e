"""Build a store from corpora, go on with a stopped build, or add corpora to a finished store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.corpus import Corpus
from data.folder import DESCRIPTION
from data.locate import Located, locate
from data.registry import CORPORA
from data.scanning import scan_corpus
from featurestore.cluster.request import ClusterRequest
from featurestore.compute.stages import Stages
from featurestore.format.documents import CorpusRecord, IgnoredFile, StoreDocument, UnitRecord, write_document
from featurestore.format.layout import ROOT_METADATA, corpus_record_path, unit_record_path
from featurestore.format.sweep import sweep, withdraw
from featurestore.places.choose import place_at
from featurestore.places.durable import storage_errors
from featurestore.places.lease import exclusive, require_held
from featurestore.places.place import Place
from featurestore.plan.growth import UnitWork
from featurestore.plan.recordings import hash_recordings
from featurestore.plan.records import Standing
from featurestore.plan.spec import SpecRequest, choose_spec
from featurestore.plan.units import Unit, plan_units
from featurestore.plan.worklist import Worklist, make_worklist
from featurestore.progress import Progress, Silent
from pipelines.decoders import choose_decoder
from pipelines.device import require_device_name
from pipelines.process import keep_freed_memory, usable_jobs
from pipelines.version import FEATURE_VERSION
from schemas.clip import Remark, Scan, Status
from schemas.errors import BadRecordingsError, CorpusNotFoundError
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class BuildRequest:
    """What to build, from where, and how."""

    out: str | Path
    """A folder, or a URL of an object store."""
    corpora: Path
    datasets: str = "all"
    spec: SpecRequest = field(default_factory=SpecRequest)
    device: str = "auto"
    decoder: str = "auto"
    jobs: int = field(default_factory=usable_jobs)
    """Clips that are decoded, and on CPU computed, at the same time."""
    cluster: ClusterRequest | None = None
    """Workers that build units side by side; None: this process does, with ``jobs``."""
    check: bool = False
    """Hash all that stands and rebuild what is damaged, instead of trusting sizes."""
    strict: bool = False
    """Refuse to finish the store while a recording is bad."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did and what the store holds now."""

    store: str
    document: StoreDocument
    located: Located
    scans: tuple[Scan, ...]
    units_built: int
    units_kept: int
    clips_built: int
    bad: tuple[Remark, ...]
    noted: tuple[Remark, ...]
    fallbacks: Mapping[str, int]
    """Why the decoder that was asked for left recordings to soundfile → how many."""
    seconds: float
    stages: Mapping[str, float]
    """Seconds at work and of waiting, by stage."""


def build(request: BuildRequest, progress: Progress | None = None) -> BuildReport:
    """Bring the store at ``request.out`` in line with the corpora; work that stands is kept.

    Corpora of the store that are not asked for stay as they are. Raises a
    :class:`~schemas.errors.SerError`; whatever happens, finished units are kept and the next call goes
    on from there.
    """
    progress = progress or Silent()
    started = time.monotonic()
    stages, fallbacks = Stages(), Counter[str]()
    require_device_name(request.device)
    choose_decoder(request.decoder)
    if request.device == "cuda" and request.cluster is None:
        from pipelines.device import choose_device

        choose_device(request.device)  # before anything is made: whether it is there
    place = place_at(request.out)
    choose_spec(request.spec, place)  # before anything is made: what is wrong with the request
    located = locate(request.datasets, request.corpora)
    scans = _scan(located)
    with storage_errors(place), exclusive(place) as token:
        spec = choose_spec(request.spec, place)  # again: another build may have begun the store
        standing = Standing(place)
        with stages.timed("hash recordings"):
            work = _compare(request, spec, located, scans, standing, progress)
        document = work.up_to_date
        built: list[UnitRecord] = []
        if document is None:
            _open_for_writing(standing, spec, work, scans)
            run = _engine(request, place, token, stages, fallbacks)
            built.extend(run(work.todo, progress))
        records = work.records(built)
        bad = _remarks(records, Status.BAD)
        if request.strict and bad:
            raise BadRecordingsError(_strict_message(bad))
        if document is not None:
            sweep(place, document.datasets, document.objects)
        else:
            from featurestore.compute.finalise import finalise

            require_held(place, token)
            with stages.timed("finalise"):
                document = finalise(place, spec, FEATURE_VERSION, work.corpora, records)
    return BuildReport(
        store=str(place),
        document=document,
        located=located,
        scans=scans,
        units_built=len(built),
        units_kept=len(work.kept),
        clips_built=sum(len(record.clips) for record in built),
        bad=bad,
        noted=_remarks(records, Status.OK),
        fallbacks=fallbacks,
        stages=stages.seconds(),
        seconds=time.monotonic() - started,
    )


def _engine(
    request: BuildRequest, place: Place, token: str, stages: Stages, fallbacks: Counter[str]
) -> Callable[[Sequence[UnitWork], Progress], Generator[UnitRecord]]:
    """What computes units: this process, or a cluster. Torch is imported where it is needed."""
    if request.cluster is not None:
        from featurestore.cluster.execution import ClusterExecution

        return ClusterExecution(
            place, token, request.cluster, request.device, request.decoder, stages, fallbacks
        ).run
    from featurestore.compute.execution import Execution
    from pipelines.device import choose_device

    keep_freed_memory()
    device, decoder = choose_device(request.device), choose_decoder(request.decoder)
    return Execution(place, token, device, decoder, request.jobs, stages, fallbacks).run


def _scan(located: Located) -> tuple[Scan, ...]:
    scans = tuple(scan_corpus(corpus, path) for corpus, path in located.found)
    for (corpus, _), scan in zip(located.found, scans, strict=True):
        if not scan.clips:
            first = f" ({scan.ignored[0].path}: {scan.ignored[0].reason})" if scan.ignored else ""
            step = (
                f"{corpus.how_to_get}, or give its place as --datasets {scan.dataset}=PATH"
                if scan.dataset in CORPORA
                else f"name its folders after emotions, or say under [emotions] in {scan.root}/{DESCRIPTION} "
                f"what they are"
            )
            raise CorpusNotFoundError(f"no file under {scan.root} is a clip of {scan.dataset}{first}; {step}")
    return scans


def _compare(
    request: BuildRequest,
    spec: StoreSpec,
    located: Located,
    scans: Sequence[Scan],
    standing: Standing,
    progress: Progress,
) -> Worklist:
    planned: dict[str, tuple[Unit, ...]] = {}
    described: dict[str, CorpusRecord] = {}
    for (corpus, _), scan in zip(located.found, scans, strict=True):
        clips = hash_recordings(scan, progress, trust=not request.check)
        units = plan_units(scan.dataset, clips, spec, FEATURE_VERSION, standing.laid_out(scan.dataset))
        planned[scan.dataset] = units
        described[scan.dataset] = _corpus_record(corpus, scan, units)
    return make_worklist(standing, spec, planned, described, check=request.check)


def _corpus_record(corpus: Corpus, scan: Scan, units: Sequence[Unit]) -> CorpusRecord:
    return CorpusRecord(
        dataset=scan.dataset,
        title=corpus.title,
        licence=corpus.licence,
        home_page=corpus.home_page,
        rows=tuple(place.clip.clip_id if place else None for unit in units for place in unit.places),
        units=tuple(unit.fingerprint for unit in units),
        ignored=tuple(IgnoredFile(path=entry.path, reason=entry.reason) for entry in scan.ignored),
        notices=scan.notices,
    )


def _open_for_writing(standing: Standing, spec: StoreSpec, work: Worklist, scans: Sequence[Scan]) -> None:
    """Say what the store will be. One whose objects will change is not valid again until it is finished."""
    from featurestore.compute.finalise import write_if_other
    from featurestore.format.arrays import hierarchy

    place = standing.place
    if work.altered or work.document is None:
        withdraw(place)
        # Without the arrays: the root tells readers of them when they are whole.
        write_if_other(place, ROOT_METADATA, hierarchy(spec, {})[ROOT_METADATA], standing.present)
    stale = [
        unit_record_path(todo.unit.dataset, todo.unit.index) for todo in work.todo if todo.standing is None
    ]
    place.delete(name for name in stale if name in standing.present)
    for scan in scans:
        write_document(place, corpus_record_path(scan.dataset), work.corpora[scan.dataset])


def _remarks(records: Mapping[str, Sequence[UnitRecord]], status: Status) -> tuple[Remark, ...]:
    return tuple(
        Remark(clip["clip_id"], clip["path"], clip["problem"])
        for units in records.values()
        for record in units
        for clip in record.clips
        if clip["status"] == status and clip["problem"]
    )


def _strict_message(bad: Sequence[Remark]) -> str:
    first = "; ".join(f"{entry.clip_id}: {entry.problem}" for entry in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    return (
        f"--strict: {len(bad)} bad recording{'s' if len(bad) > 1 else ''} ({first}{more}); repair or remove "
        f"them and run again, or leave --strict out to finish the store with them marked"
    )
