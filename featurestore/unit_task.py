"""One unit as a task of a cluster: what a worker is sent, does and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from featurestore.documents import UnitRecord
from featurestore.growth import UnitWork
from featurestore.places.lease import holds
from featurestore.places.place import Place
from featurestore.progress import Silent
from featurestore.stages import Stages
from pipelines.version import FEATURE_VERSION

COMPARED = ("ser-features", "torch", "numpy", "soxr", "zarr", "numcodecs", "pyarrow")
"""Libraries whose versions must be the same everywhere: they decide about bytes."""

_GPU = Lock()
"""A GPU computes one unit at a time, however many threads its worker has."""


@dataclass(frozen=True)
class UnitTask:
    """A unit to build. Doing it twice, even at the same time, gives the same bytes."""

    work: UnitWork
    place: Place
    token: str
    device: str
    decoder: str


@dataclass(frozen=True)
class UnitAnswer:
    """A unit that is durable, how long each stage took, and why recordings were left to soundfile."""

    record: UnitRecord
    seconds: Mapping[str, float]
    fallbacks: Mapping[str, int]


@dataclass(frozen=True)
class WorkerState:
    """What a worker tells of itself before it gets work."""

    libraries: Mapping[str, str]
    feature_version: int
    device: str
    sees_store: bool
    unseen: Sequence[str]
    """Recordings that it cannot read."""


def look_around(place: Place, token: str, device: str, files: Sequence[Path]) -> WorkerState:
    """Tell whether this worker can do the work: asked of each before the first unit."""
    from pipelines.device import choose_device

    return WorkerState(
        libraries={name: version(name) for name in COMPARED},
        feature_version=FEATURE_VERSION,
        device=choose_device(device).type,
        sees_store=holds(place, token),
        unseen=tuple(str(file) for file in files if not file.is_file()),
    )


def build_unit(task: UnitTask) -> UnitAnswer:
    """Compute and commit a unit. Raises a :class:`~schemas.errors.SerError`."""
    from featurestore.execution import Execution
    from pipelines.decoders import choose_decoder
    from pipelines.device import choose_device
    from pipelines.process import compute_alone, keep_freed_memory, usable_jobs

    keep_freed_memory()
    compute_alone()
    device = choose_device(task.device)
    stages, fallbacks = Stages(), Counter[str]()
    decoder = choose_decoder(task.decoder)
    if device.type == "cpu":  # one thread a task: the cluster decides how many run side by side
        execution = Execution(task.place, task.token, device, decoder, 1, stages, fallbacks)
        (record,) = execution.run([task.work], Silent())
    else:
        execution = Execution(task.place, task.token, device, decoder, usable_jobs(), stages, fallbacks)
        with _GPU:
            (record,) = execution.run([task.work], Silent())
    return UnitAnswer(record, stages.seconds(), fallbacks)
