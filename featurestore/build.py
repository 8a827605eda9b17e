"""Builds a store from corpora, resumes a stopped build, or adds corpora to a finished store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.corpus import Corpus
from data.locate import Located, locate
from data.own_recordings.description import DESCRIPTION
from data.own_recordings.folder import FolderCorpus
from data.scanning import scan_corpus
from data.tables.corpus import TableCorpus
from featurestore.cluster.request import ClusterRequest
from featurestore.compute.stages import Stages
from featurestore.compute.worker_processes import WorkerProcesses, start_early, use_processes
from featurestore.format.documents import CorpusRecord, IgnoredFile, StoreDocument, UnitRecord, write_document
from featurestore.format.layout import ROOT_METADATA, corpus_record_path, unit_record_path
from featurestore.format.outside import require_apart
from featurestore.format.sweep import sweep, withdraw
from featurestore.places.choose import place_at
from featurestore.places.durable import storage_errors
from featurestore.places.lease import exclusive, require_held
from featurestore.places.place import Place
from featurestore.plan.existing_store import ExistingStore
from featurestore.plan.growth import UnitWork
from featurestore.plan.readable import require_readable
from featurestore.plan.recordings import hash_files, source_clips
from featurestore.plan.segmentation import choose_segmentation, cut_recordings, require_possible
from featurestore.plan.spec import SpecRequest, choose_spec
from featurestore.plan.spec_of_store import spec_of_store
from featurestore.plan.units import Unit, plan_units
from featurestore.plan.worklist import Worklist, make_worklist
from featurestore.progress import Progress, Silent
from pipelines.decoders import choose_decoder, require_decoder
from pipelines.device import choose_device_kind, may_use_gpu, require_device_name
from pipelines.process import keep_freed_memory, usable_jobs
from pipelines.version import FEATURE_VERSION
from schemas.clip import Remark, Scan, Status
from schemas.errors import BadRecordingsError, CorpusNotFoundError
from schemas.messages.counts import choose_form, format_count
from schemas.segmentation import Segmentation
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class BuildRequest:
    """What to build, from which corpora, and how."""

    out: str | Path
    """The store: a folder or a URL."""
    corpora: Path
    datasets: str = "all"
    spec: SpecRequest = field(default_factory=SpecRequest)
    device: str = "auto"
    decoder: str = "auto"
    jobs: int = field(default_factory=usable_jobs)
    """Clips decoded (on a CPU, also computed) at the same time."""
    cluster: ClusterRequest | None = None
    """Dask workers that build units in parallel; None: this process builds, with ``jobs``."""
    check: bool = False
    """Hash every existing object and rebuild damaged ones, instead of comparing sizes."""
    segment: Segmentation | None = None
    """How recordings are cut into clips; None: as those of the store, for new corpora not at all."""
    strict: bool = False
    """Fail instead of finishing the store if any recording is unusable."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did, and what the store now holds."""

    store: str
    document: StoreDocument
    located: Located
    scans: tuple[Scan, ...]
    units_built: int
    units_kept: int
    clips_built: int
    bad: tuple[Remark, ...]
    noted: tuple[Remark, ...]
    lacking: Mapping[str, int]
    """Imported feature → usable clips that have no values of it, if any."""
    fallbacks: Mapping[str, int]
    """Reason why soundfile read recordings instead of the requested decoder → number of recordings."""
    seconds: float
    stages: Mapping[str, float]
    """Stage → seconds of work or waiting."""

    def require_usable(self) -> None:
        """Raise :class:`BadRecordingsError` if a corpus of this build has no usable recording.

        The store is finished nevertheless and lists them. The next build reads them again if they changed.
        """
        names = [scan.dataset for scan in self.scans if self._is_useless(scan.dataset)]
        if not names:
            return
        first = next(entry for entry in self.bad if entry.clip_id.startswith(f"{names[0]}/"))
        raise BadRecordingsError(
            f"{' and '.join(names)} {choose_form(len(names), 'has', 'have')} no usable recording (the first, "
            f"{first.path}: {first.problem}); repair the recordings and run the command again"
        )

    def _is_useless(self, dataset: str) -> bool:
        entry = self.document.datasets[dataset]
        return entry.bad == entry.clips


def build(request: BuildRequest, progress: Progress | None = None) -> BuildReport:
    """Bring the store at ``request.out`` up to date with the corpora; finished units are kept.

    Corpora of the store that are not requested stay as they are. Raises a subclass of
    :class:`~schemas.errors.SerError`. Whatever happens, finished units are kept and the next call continues
    from there.
    """
    progress = progress or Silent()
    started = time.monotonic()
    stages, fallbacks = Stages(), Counter[str]()
    checked = _check_request(request)
    place = checked.place
    located = locate(request.datasets, request.corpora)
    scans = _scan(located)
    with (
        storage_errors(place),
        exclusive(place) as token,
        start_early(_early_workers(request, checked, scans), request.device) as early,
    ):
        spec = _current_spec(request, checked)
        store = ExistingStore(place)
        with stages.measure("hash recordings"):
            scans, work = _compare(request, spec, located, scans, store, stages, progress)
        document = work.up_to_date
        built: list[UnitRecord] = []
        if document is None:
            require_readable(spec, work)
            _prepare_store(store, spec, work, scans)
            compute = _choose_engine(request, checked, work.todo, token, stages, fallbacks, early)
            built.extend(compute(work.todo, progress))
        records = work.records(built)
        bad = _remarks(records, Status.BAD)
        if request.strict and bad:
            raise BadRecordingsError(_strict_message(bad))
        if document is not None:
            sweep(place, document.datasets, document.objects)
        else:
            from featurestore.compute.finalise import finalise

            require_held(place, token)
            with stages.measure("finalise"):
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
        lacking=_lacking(records),
        fallbacks=fallbacks,
        stages=stages.seconds(),
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class _CheckedRequest:
    """The parts of a valid request that were resolved while it was checked.

    ``existing`` : specification of the store that was there then, or None. ``spec`` : the one to build.
    """

    place: Place
    existing: StoreSpec | None
    spec: StoreSpec


def _check_request(request: BuildRequest) -> _CheckedRequest:
    """Check all options before anything is created. Raises a :class:`~schemas.errors.SerError`."""
    if request.device == "cuda" and request.cluster is None:
        choose_device_kind(request.device)  # is there one?
    else:
        require_device_name(request.device)  # "auto" imports torch only if there is something to compute
    require_decoder(request.decoder)
    place = place_at(request.out)
    require_apart(place, "--out")
    existing = spec_of_store(place)
    spec = choose_spec(request.spec, existing, str(place))
    if request.segment is not None:
        require_possible(request.segment, spec.audio)
    return _CheckedRequest(place, existing, spec)


def _current_spec(request: BuildRequest, checked: _CheckedRequest) -> StoreSpec:
    """The specification to build, now that no other build can change the store any more."""
    existing = spec_of_store(checked.place)
    if existing == checked.existing:
        return checked.spec
    return choose_spec(request.spec, existing, str(checked.place))


def _choose_engine(
    request: BuildRequest,
    checked: _CheckedRequest,
    todo: Sequence[UnitWork],
    token: str,
    stages: Stages,
    fallbacks: Counter[str],
    early: WorkerProcesses | None,
) -> Callable[[Sequence[UnitWork], Progress], Generator[UnitRecord]]:
    """The function that computes units, in this process or on a cluster. Imports torch only if needed."""
    place = checked.place
    encoders = _encoder_folders(request, todo)
    if request.cluster is not None:
        from featurestore.cluster.execution import ClusterExecution

        return ClusterExecution(
            place, token, request.cluster, request.device, request.decoder, stages, fallbacks, encoders
        ).run
    from featurestore.compute.execution import Execution

    keep_freed_memory()
    device = choose_device_kind(request.device)
    decoder = choose_decoder(request.decoder, device)
    execution = Execution(
        place, token, device, decoder, request.jobs, stages, fallbacks, encoders, started=early
    )

    if device == "cpu":
        return execution.run
    from pipelines.float32_products import float32_products

    def run(units: Sequence[UnitWork], progress: Progress) -> Generator[UnitRecord]:
        with float32_products(tf32=False):
            yield from execution.run(units, progress)

    return run


def _early_workers(request: BuildRequest, checked: _CheckedRequest, scans: Sequence[Scan]) -> int:
    """Worker processes to start at once: of a new store, every clip will be computed."""
    clips = sum(len(scan.clips) for scan in scans)
    new = checked.existing is None and request.cluster is None
    decoder = choose_decoder(request.decoder, "cuda" if may_use_gpu(request.device) else "cpu")
    return request.jobs if new and use_processes(decoder, request.jobs, clips) else 0


def _encoder_folders(request: BuildRequest, todo: Sequence[UnitWork]) -> dict[str, Path]:
    """Folders of the weights that the work needs. Raises :class:`EncoderError` if some are missing."""
    specs = [work.compute for work in todo if work.compute.encoders]
    if not specs:
        return {}
    from featurestore.plan.encoders import encoder_folders

    return encoder_folders(specs, request.spec.encoders)


def _scan(located: Located) -> tuple[Scan, ...]:
    scans = tuple(scan_corpus(corpus, path) for corpus, path in located.found)
    for (corpus, _), scan in zip(located.found, scans, strict=True):
        if not scan.clips:
            raise _no_clips(corpus, scan)
    return scans


def _no_clips(corpus: Corpus, scan: Scan) -> CorpusNotFoundError:
    first = f" ({scan.ignored[0].path}: {scan.ignored[0].reason})" if scan.ignored else ""
    if isinstance(corpus, TableCorpus):
        return CorpusNotFoundError(
            f"no row of the table '{corpus.table.path}' is a clip{first}; correct the table"
        )
    step = f"{corpus.how_to_get}, or give its folder with --datasets {scan.dataset}=PATH"
    if isinstance(corpus, FolderCorpus):
        step = (
            f"name its folders after emotions, or map their names to emotions under [emotions] in "
            f"{scan.root}/{DESCRIPTION}"
        )
    return CorpusNotFoundError(f"no file under {scan.root} is a clip of {scan.dataset}{first}; {step}")


def _compare(
    request: BuildRequest,
    spec: StoreSpec,
    located: Located,
    scans: Sequence[Scan],
    store: ExistingStore,
    stages: Stages,
    progress: Progress,
) -> tuple[tuple[Scan, ...], Worklist]:
    """The scans with their recordings cut into clips, and what the build keeps and computes of them."""
    cut_scans: list[Scan] = []
    planned: dict[str, tuple[Unit, ...]] = {}
    described: dict[str, CorpusRecord] = {}
    for (corpus, _), whole in zip(located.found, scans, strict=True):
        segmentation = choose_segmentation(request.segment, store, whole)
        hashes = hash_files(whole, progress, trust=not request.check)
        scan = whole
        if segmentation is not None:
            with stages.measure("segment recordings"):
                scan = cut_recordings(whole, hashes, segmentation, spec.audio, progress)
        clips = source_clips(scan, hashes)
        units = plan_units(scan.dataset, clips, spec, FEATURE_VERSION, store.row_ids(scan.dataset))
        cut_scans.append(scan)
        planned[scan.dataset] = units
        described[scan.dataset] = _corpus_record(corpus, scan, units, segmentation)
    return tuple(cut_scans), make_worklist(store, spec, planned, described, check=request.check)


def _corpus_record(
    corpus: Corpus, scan: Scan, units: Sequence[Unit], segmentation: Segmentation | None
) -> CorpusRecord:
    return CorpusRecord(
        dataset=scan.dataset,
        title=corpus.title,
        licence=corpus.licence,
        home_page=corpus.home_page,
        rows=tuple(row.clip.clip_id if row else None for unit in units for row in unit.rows),
        units=tuple(unit.fingerprint for unit in units),
        ignored=tuple(IgnoredFile(path=entry.path, reason=entry.reason) for entry in scan.ignored),
        notices=scan.notices,
        segment=None if segmentation is None else str(segmentation),
    )


def _prepare_store(store: ExistingStore, spec: StoreSpec, work: Worklist, scans: Sequence[Scan]) -> None:
    """Write the specification and the corpus records, and delete the records of units to rebuild.

    A store whose objects change is not valid from here on until it is finished.
    """
    from featurestore.compute.finalise import write_if_changed
    from featurestore.format.arrays import hierarchy

    place = store.place
    if work.altered or work.document is None:
        withdraw(place)
        # Without the arrays: the root lists them once they are complete.
        write_if_changed(place, ROOT_METADATA, hierarchy(spec, {})[ROOT_METADATA], store.present)
    stale = [
        unit_record_path(todo.unit.dataset, todo.unit.index)
        for todo in work.todo
        if todo.existing is None and not (todo.before and todo.before.spec.imported)
    ]
    place.delete(name for name in stale if name in store.present)
    for scan in scans:
        write_document(place, corpus_record_path(scan.dataset), work.corpora[scan.dataset])


def _lacking(records: Mapping[str, Sequence[UnitRecord]]) -> dict[str, int]:
    lacking: Counter[str] = Counter()
    for record in (record for units in records.values() for record in units):
        for name, frames in (record.imported_frames or {}).items():
            clips = zip(record.clips, frames, strict=True)
            lacking[name] += sum(clip.status == Status.OK and not count for clip, count in clips)
    return {name: count for name, count in lacking.items() if count}


def _remarks(records: Mapping[str, Sequence[UnitRecord]], status: Status) -> tuple[Remark, ...]:
    return tuple(
        Remark(clip.clip_id, clip.path, clip.problem)
        for units in records.values()
        for record in units
        for clip in record.clips
        if clip.status == status and clip.problem
    )


def _strict_message(bad: Sequence[Remark]) -> str:
    first = "; ".join(f"{entry.clip_id}: {entry.problem}" for entry in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    return (
        f"--strict: {format_count(len(bad), 'unusable recording')} ({first}{more}); repair or "
        f"remove them and run the command again, or omit --strict to finish the store despite them"
    )
