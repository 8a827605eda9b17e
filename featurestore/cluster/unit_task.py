"""One unit as a task of a cluster: the task, what a worker does with it, and the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from featurestore.compute.portable import make_portable
from featurestore.compute.stages import Stages
from featurestore.format.documents import UnitRecord
from featurestore.places.lease import holds
from featurestore.places.place import Place
from featurestore.plan.growth import UnitWork
from featurestore.progress import Silent
from pipelines.version import FEATURE_VERSION
from schemas.errors import ClusterError
from schemas.spec import StoreSpec

COMPARED = ("ser-features", "torch", "numpy", "soxr", "zarr", "numcodecs", "pyarrow")
"""Libraries that must have the same version everywhere: the stored bytes depend on them."""

COMPARED_FOR_ENCODERS = (*COMPARED, "transformers")
"""The same for features of encoders whose networks are those of ``transformers``."""

_GPU = Lock()
"""A GPU gets one batch at a time, no matter how many threads its worker has."""


@dataclass(frozen=True)
class UnitTask:
    """A unit to build. Building it twice, even at the same time, gives the same bytes."""

    work: UnitWork
    place: Place
    token: str
    device: str
    decoder: str
    libraries: Mapping[str, str]
    """:func:`library_versions` in the process that runs the build."""
    encoders: Mapping[str, Path] = field(default_factory=dict)
    """Folder of the weights of each encoder feature."""


@dataclass(frozen=True)
class BuiltUnit:
    """A durable unit, the seconds of each stage, and why soundfile read recordings instead."""

    record: UnitRecord
    seconds: Mapping[str, float]
    fallbacks: Mapping[str, int]


@dataclass(frozen=True)
class WorkerState:
    """What a worker reports before it gets work."""

    libraries: Mapping[str, str]
    feature_version: int
    device: str
    sees_store: bool
    unseen: Sequence[str]
    """Recordings that the worker cannot read."""


def inspect_worker(place: Place, token: str, device: str, files: Sequence[Path]) -> WorkerState:
    """Report what this worker has and sees. It runs on every worker before the first unit."""
    from pipelines.device import choose_device

    return WorkerState(
        libraries=library_versions(COMPARED_FOR_ENCODERS),
        feature_version=FEATURE_VERSION,
        device=choose_device(device).type,
        sees_store=holds(place, token),
        unseen=tuple(str(file) for file in files if not file.is_file()),
    )


def compared_libraries(specs: Iterable[StoreSpec]) -> tuple[str, ...]:
    """Libraries that must have the same version everywhere to compute the features of ``specs``."""
    needed = any(feature.needs_transformers for spec in specs for feature in spec.encoders)
    return COMPARED_FOR_ENCODERS if needed else COMPARED


def library_versions(names: Iterable[str] = COMPARED) -> dict[str, str]:
    """Versions of libraries in this process; ``none`` for one that is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def build_unit(task: UnitTask) -> BuiltUnit | Exception:
    """Compute and commit a unit. An error is returned, not raised: Dask may not be able to send it back."""
    try:
        return _build_unit(task)
    except Exception as error:  # noqa: BLE001 # the build raises it
        return make_portable(error)


def _build_unit(task: UnitTask) -> BuiltUnit:
    _require_same_setup(task)
    from featurestore.compute.execution import Execution
    from pipelines.decoders import choose_decoder
    from pipelines.device import choose_device_kind
    from pipelines.float32_products import float32_products
    from pipelines.process import compute_alone, keep_freed_memory, usable_jobs

    keep_freed_memory()
    compute_alone()
    device = choose_device_kind(task.device)
    stages, fallbacks = Stages(), Counter[str]()
    decoder = choose_decoder(task.decoder, device)
    # On a CPU, one thread per task: the cluster decides how many run in parallel.
    on_cpu = device == "cpu"
    jobs = 1 if on_cpu else usable_jobs()
    execution = Execution(
        task.place, task.token, device, decoder, jobs, stages, fallbacks, task.encoders, device_lock=_GPU
    )
    with float32_products(tf32=False):
        (record,) = execution.run([task.work], Silent())
    return BuiltUnit(record, stages.seconds(), fallbacks)


def _require_same_setup(task: UnitTask) -> None:
    """Raise :class:`ClusterError` on a worker that joined after the others were inspected and differs."""
    if task.work.unit.feature_version != FEATURE_VERSION:
        raise ClusterError(
            "a worker and the build have different versions of the pipeline; install the same one everywhere"
        )
    here = library_versions(task.libraries)
    for name, number in task.libraries.items():
        if here[name] != number:
            raise ClusterError(
                f"a worker has {name} {here[name]}, the build {number}; install the same versions "
                f"everywhere, because results differ in the last bits"
            )
    for source in task.work.unit.clips:
        if source.audio_sha256 is not None and not source.file.is_file():
            raise ClusterError(
                f"a worker cannot read {source.file}, although the build can; the corpora must be under "
                f"the same path on every worker"
            )
