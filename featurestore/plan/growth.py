"""How a store grows: which parts of a unit are kept when features, views or clips are added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from featurestore.format.documents import UnitRecord
from featurestore.plan.units import Unit
from schemas.features import Delta2Spec, DeltaSpec, MfccSpec
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class UnitWork:
    """A unit that is incomplete.

    ``spec``     : what the unit will hold.
    ``compute``  : the part of ``spec`` that the pipeline computes.
    ``existing`` : the unit's record if some of its shards are kept, else None.
    """

    unit: Unit
    spec: StoreSpec
    compute: StoreSpec
    existing: UnitRecord | None

    @property
    def missing(self) -> Iterator[tuple[str, int, str]]:
        """Feature, view index and view name of every shard to write."""
        old = self.existing.spec if self.existing else None
        features = {feature.name for feature in old.features} if old else set()
        views = set(old.view_names) if old else set()
        for feature in self.spec.features:
            for view, name in enumerate(self.spec.view_names):
                if feature.name not in features or name not in views:
                    yield feature.name, view, name


def extends(wanted: StoreSpec, existing: StoreSpec) -> bool:
    """Whether ``wanted`` is ``existing``, possibly with more features or with more views after its own."""
    return (
        _without_parts(wanted) == _without_parts(existing)
        and wanted.views[: len(existing.views)] == existing.views
        and all(feature in wanted.features for feature in existing.features)
    )


def plan_work(unit: Unit, wanted: StoreSpec, existing: UnitRecord | None) -> UnitWork | None:
    """The work that makes ``unit`` hold ``wanted``; None if it already does.

    ``existing`` : the unit's record if it has the unit's clips and its objects are intact, else None.
    """
    if existing is None or not extends(wanted, existing.spec):
        return UnitWork(unit, wanted, wanted, None)
    features = tuple(feature for feature in wanted.features if feature not in existing.spec.features)
    views = wanted.views[len(existing.spec.views) :]
    if features and views:  # the new features of the old views need nearly all of the work
        compute = wanted
    elif views:
        compute = wanted.model_copy(update={"views": views})
    elif features:
        slopes = any(isinstance(feature, DeltaSpec | Delta2Spec) for feature in features)
        needed = tuple(f for f in wanted.features if f in features or (slopes and isinstance(f, MfccSpec)))
        compute = wanted.model_copy(update={"features": needed})
    else:  # the same parts; at most, the specification lists the features in another order
        return None if wanted == existing.spec else UnitWork(unit, wanted, wanted, None)
    return UnitWork(unit, wanted, compute, existing)


def _without_parts(spec: StoreSpec) -> StoreSpec:
    return spec.model_copy(update={"features": (), "views": ()})
