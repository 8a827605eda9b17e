"""What all trials of a fold share within one process: the store, the clips, and what was read of them.

A bench is given the rows of the clips outside the test and no others, so no trial can see a test clip.
Vectors and what linear models compute of them are kept for later trials, as far as the memory that
``--memory`` allows, by default half of the free memory, has room for them. So are frames that fit in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featurestore.store import FeatureStore
from pipelines.device import choose_device
from schemas.architecture import LinearSpec
from schemas.errors import StoreChangedError
from schemas.model import canonical_digest
from schemas.recipe import Recipe
from training.loader.memory import default_budget, gpu_budget
from training.loader.open import choose_home, open_source
from training.loader.ram import RamSource
from training.loader.source import Source
from training.loader.targets import target_tensor
from training.loop.fabric import fabric_for
from training.loop.normalise import Normalisation, normalisation_of, normalisation_of_vectors
from training.plan.make import targets_for
from training.plan.requirements import selection_of
from training.runs.request import Hardware
from training.runs.run import RunRecord
from training.samples.samples import Samples, cross
from training.search.inner import InnerFold
from training.search.kept import Kept
from training.search.linear import LinearFits
from training.splits.side import ORIGINAL_VIEW
from training.vectors.clip_vectors import ClipVectors, clip_vectors
from training.vectors.source import read_vectors, require_room_for_vectors

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class BenchRequest:
    """What a process needs for trials of one fold; small enough to be sent with every trial."""

    store: str
    """Path or URL."""
    record: RunRecord
    """Of the recipe as given; a trial changes its recipe."""
    inner: tuple[InnerFold, ...]
    hardware: Hardware = field(default_factory=Hardware)
    processes: int = 1
    """Processes with trials that share the free memory of a machine."""

    @property
    def key(self) -> str:
        """Hash of what decides what is read."""
        folds = [[fold.fit, fold.judge] for fold in self.inner]
        return canonical_digest([self.store, self.record.model_dump(mode="json"), folds])


class Bench:
    """Reads for the trials of one fold."""

    def __init__(self, request: BenchRequest) -> None:
        """Open the store. Raises what opening raises, and :class:`StoreChangedError` for another store."""
        self.request = request
        self.store = FeatureStore.open(request.store)
        if self.store.digest != request.record.store_digest:
            raise StoreChangedError(
                f"{request.store} is not the store that the search was started on; give that store, or start "
                f"a new search"
            )
        self.device = choose_device(request.hardware.device or request.record.device)
        self.known: NDArray[np.int64] = np.unique(
            [row for fold in request.inner for row in (*fold.fit, *fold.judge)]
        )
        self._targets = targets_for(self.store, request.record.recipe).of_clips
        memory = request.hardware.memory or default_budget() // request.processes
        on_device = memory if self.device.type == "cpu" else min(memory, gpu_budget(self.device))
        self._vectors = Kept[Tensor](on_device // 2, lambda table: table.nbytes)
        self._frames: OrderedDict[str, RamSource] = OrderedDict()
        self.linear = LinearFits(memory // 2)
        self._fabrics: dict[str, Fabric] = {}

    def record_of(self, recipe: Recipe) -> RunRecord:
        """The record of a run of ``recipe``. Raises :class:`RunError` if the store lacks what it reads."""
        selection = selection_of(self.store, recipe, recipe.name)
        train = recipe.train.model_copy(update={"views": selection.views})
        return self.request.record.model_copy(
            update={"recipe": recipe.model_copy(update={"train": train}), "features": selection.features}
        )

    def fabric(self, recipe: Recipe) -> Fabric:
        """Fabric for the precision of ``recipe``."""
        precision = recipe.train.precision
        if precision not in self._fabrics:
            self._fabrics[precision] = fabric_for(self.device, recipe.train)
        return self._fabrics[precision]

    def samples(
        self, rows: Sequence[int] | NDArray[np.int64], views: Sequence[int] = (ORIGINAL_VIEW,)
    ) -> Samples:
        """Samples of the clips in ``rows`` in ``views``."""
        clips = np.asarray(rows, dtype=np.int64)
        return cross(clips, self._targets[clips], views)

    def vectors_of(self, record: RunRecord) -> ClipVectors | None:
        """How the model sees clips; None: as frames."""
        return clip_vectors(record.recipe, self.store.spec, record.features)

    def read_vectors(self, record: RunRecord, vectors: ClipVectors, samples: Samples) -> Tensor:
        """Vectors of ``samples``, known clips in the order of :func:`cross`, (n, D) float32."""
        parts = []
        for view in samples.view_indices:
            table = self._table(record, vectors, view)
            at = np.searchsorted(self.known, samples.clips[samples.views == view])
            parts.append(table.index_select(0, torch.from_numpy(at).to(table.device)))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def vectors_key(self, record: RunRecord) -> str:
        """Text that is equal for equal vectors of the known clips."""
        recipe = record.recipe
        statistics = recipe.model.statistics if isinstance(recipe.model, LinearSpec) else None
        what = [feature.model_dump_json() for feature in recipe.features]
        return f"{record.features} {what} {recipe.input.representation} {statistics} {recipe.input.within}"

    def source(self, record: RunRecord, samples: Samples) -> Source:
        """Source of ``samples`` for a network."""
        vectors = self.vectors_of(record)
        if vectors is not None:
            found = self.read_vectors(record, vectors, samples)
            ones = torch.ones(len(samples), dtype=torch.int64)
            return RamSource(found[..., None], ones, target_tensor(samples), self.device)
        views = record.recipe.train.views or (ORIGINAL_VIEW,)
        memory, features = self.request.hardware.memory, record.features
        everything = self.samples(self.known, tuple(sorted({ORIGINAL_VIEW, *views})))
        home = choose_home(
            self.store,
            [everything, everything],  # the part that a trial reads is copied
            features,
            self.device,
            budget=memory,
            wanted=self.request.hardware.loader,
        )
        if home == "stream":
            return open_source(self.store, samples, features, home, self.device, memory)
        key = f"{features} {everything.view_indices}"
        if key not in self._frames:
            self._frames.clear()
            whole = open_source(self.store, everything, features, home, self.device, memory)
            if not isinstance(whole, RamSource):
                return open_source(self.store, samples, features, home, self.device, memory)
            self._frames[key] = whole
        return _part_of(self._frames[key], self._positions(everything, samples))

    def normalisation(self, record: RunRecord, fit: Samples) -> Normalisation:
        """Normalisation of a network's input, fitted to the clips of ``fit``."""
        recipe, vectors = record.recipe, self.vectors_of(record)
        if vectors is None:
            return normalisation_of(
                self.store, recipe.input, fit.clips, fit.view_indices, record.features, None
            )
        originals = self.samples(np.unique(fit.clips))
        return normalisation_of_vectors(recipe.input, self.read_vectors(record, vectors, originals).cpu())

    def _table(self, record: RunRecord, vectors: ClipVectors, view: int) -> Tensor:
        """Vectors of all known clips in one view, (known, D) float32; read only if they are not kept."""
        recipe = record.recipe
        linear = isinstance(recipe.model, LinearSpec)
        key = f"{self.vectors_key(record)} {view}"

        def read() -> Tensor:
            home = torch.device("cpu") if linear else self.device
            samples = self.samples(self.known, (view,))
            require_room_for_vectors([samples], vectors, home, self.request.hardware.memory)
            return read_vectors(
                self.store, samples, record.features, vectors, home, within=recipe.input.within
            )

        return self._vectors.get(key, read)

    def _positions(self, everything: Samples, samples: Samples) -> NDArray[np.int64]:
        """Positions in ``everything``, all known clips in several views, of ``samples``."""
        of_view = np.searchsorted(everything.view_indices, samples.views)
        found: NDArray[np.int64] = of_view * len(self.known) + np.searchsorted(self.known, samples.clips)
        return found


def _part_of(source: RamSource, positions: NDArray[np.int64]) -> RamSource:
    """A source of some of the samples of another."""
    at = torch.from_numpy(positions)
    return RamSource(
        source.features.index_select(0, at.to(source.features.device)),
        source.valid_frames.index_select(0, at.to(source.device)),
        source.targets.index_select(0, at.to(source.device)),
        source.device,
    )
