"""Build a store from corpora, go on with a stopped build, or add corpora to a finished store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from data.corpus import Corpus
from data.locate import Located, locate
from featurestore.arrays import hierarchy
from featurestore.documents import CorpusRecord, IgnoredFile, StoreDocument, UnitRecord, write_document
from featurestore.durable import storage_errors, write_durably, write_if_other
from featurestore.execution import Execution
from featurestore.finalise import finalise, sweep, withdraw
from featurestore.layout import LOCK, ROOT_METADATA, corpus_record_path
from featurestore.plan import Unit, hash_recordings, plan_units
from featurestore.progress import Progress, Silent
from featurestore.records import read_corpus_record
from featurestore.spec_choice import SpecRequest, choose_spec, spec_of_store
from featurestore.stages import Stages
from featurestore.worklist import Worklist, make_worklist
from pipelines.decoders import choose_decoder
from pipelines.device import choose_device
from pipelines.pipeline import FEATURE_VERSION
from pipelines.process import keep_freed_memory, usable_jobs
from schemas.clip import Scan, Status
from schemas.errors import BadRecordingsError, CorpusNotFoundError, StoreBusyError
from schemas.spec import StoreSpec

_RETRY = "run the same command again, finished units are kept"


@dataclass(frozen=True)
class BuildRequest:
    """What to build, from where, and how."""

    out: Path
    corpora: Path
    datasets: str = "all"
    spec: SpecRequest = field(default_factory=SpecRequest)
    device: str = "auto"
    decoder: str = "auto"
    jobs: int = field(default_factory=usable_jobs)
    """Clips that are decoded, and on CPU computed, at the same time."""
    check: bool = False
    """Hash all that stands and rebuild what is damaged, instead of trusting sizes."""
    strict: bool = False
    """Refuse to finish the store while a recording is bad."""


@dataclass(frozen=True)
class Remark:
    """What the manifest says of a recording: why it is bad, or what is odd about it."""

    clip_id: str
    path: str
    problem: str


@dataclass(frozen=True)
class BuildReport:
    """What a build did and what the store holds now."""

    store: Path
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
    keep_freed_memory()
    device, decoder = choose_device(request.device), choose_decoder(request.decoder)
    stages, fallbacks = Stages(), Counter[str]()
    spec = choose_spec(request.spec, request.out)
    located = locate(request.datasets, request.corpora)
    scans = _scan(located)
    with storage_errors(request.out, _RETRY), _sole_builder(request.out):
        spec = choose_spec(request.spec, request.out)  # again: another build may have begun the store
        if spec_of_store(request.out) is None:
            write_durably(request.out / ROOT_METADATA, hierarchy(spec, {})[ROOT_METADATA])
        work = _compare(request, spec, located, scans, progress)
        document = work.up_to_date
        built: list[UnitRecord] = []
        if document is None:
            _open_for_writing(request.out, spec, work, scans)
            execution = Execution(request.out, spec, device, decoder, request.jobs, stages, fallbacks)
            built.extend(execution.run(work.todo, progress))
        records = work.records(built)
        bad = _remarks(records, Status.BAD)
        if request.strict and bad:
            raise BadRecordingsError(_strict_message(bad))
        if document is not None:
            sweep(request.out, document.datasets, document.objects)
        else:
            document = finalise(request.out, spec, FEATURE_VERSION, work.corpora, records)
    return BuildReport(
        store=request.out,
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


@contextmanager
def _sole_builder(store: Path) -> Iterator[None]:
    store.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(store / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise StoreBusyError(
            f"another process is building {store}; wait for it, or end it and run this command again"
        ) from error


def _scan(located: Located) -> tuple[Scan, ...]:
    scans = tuple(corpus.scan(path) for corpus, path in located.found)
    for scan in scans:
        if not scan.clips:
            first = f"; {scan.ignored[0].path}: {scan.ignored[0].reason}" if scan.ignored else ""
            raise CorpusNotFoundError(
                f"no file under {scan.root} is a clip of {scan.dataset}{first}; give its place as "
                f"--datasets {scan.dataset}=PATH"
            )
    return scans


def _compare(
    request: BuildRequest, spec: StoreSpec, located: Located, scans: Sequence[Scan], progress: Progress
) -> Worklist:
    planned: dict[str, tuple[Unit, ...]] = {}
    described: dict[str, CorpusRecord] = {}
    for (corpus, _), scan in zip(located.found, scans, strict=True):
        standing = read_corpus_record(request.out, scan.dataset)
        clips = hash_recordings(scan, progress)
        laid_out = standing.rows if standing else ()
        units = plan_units(scan.dataset, clips, spec, FEATURE_VERSION, laid_out)
        planned[scan.dataset] = units
        described[scan.dataset] = _corpus_record(corpus, scan, units)
    return make_worklist(request.out, planned, described, check=request.check)


def _corpus_record(corpus: Corpus, scan: Scan, units: Sequence[Unit]) -> CorpusRecord:
    return CorpusRecord(
        dataset=scan.dataset,
        title=corpus.title,
        licence=corpus.licence,
        home_page=corpus.home_page,
        rows=tuple(source.clip.clip_id for unit in units for source in unit.clips),
        units=tuple(unit.fingerprint for unit in units),
        ignored=tuple(IgnoredFile(path=entry.path, reason=entry.reason) for entry in scan.ignored),
        notices=scan.notices,
    )


def _open_for_writing(store: Path, spec: StoreSpec, work: Worklist, scans: Sequence[Scan]) -> None:
    """Lay out the arrays. A store whose objects will change is not valid again until it is finished."""
    if work.altered or work.document is None:
        withdraw(store)
    for scan in scans:
        write_document(store / corpus_record_path(scan.dataset), work.corpora[scan.dataset])
    for name, data in hierarchy(spec, work.corpora).items():
        if name != ROOT_METADATA:  # the root tells readers of all arrays: it follows when they are whole
            write_if_other(store / name, data)


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
