"""How a store grows: which parts of a unit stand when features, views or clips are added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from featurestore.format.documents import UnitRecord
from featurestore.plan.units import Unit
from schemas.features import Delta2Spec, DeltaSpec, MfccSpec
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class UnitWork:
    """A unit that lacks something.

    ``spec``     : what the unit is to hold.
    ``compute``  : the part of it that the pipeline computes.
    ``existing`` : the unit's record, where some of its shards stay.
    """

    unit: Unit
    spec: StoreSpec
    compute: StoreSpec
    existing: UnitRecord | None

    @property
    def lacking(self) -> Iterator[tuple[str, int, str]]:
        """Feature, index of the view and its name of every shard that is to be written."""
        old = self.existing.spec if self.existing else None
        features = {feature.kind for feature in old.features} if old else set()
        views = set(old.view_names) if old else set()
        for feature in self.spec.features:
            for view, name in enumerate(self.spec.view_names):
                if feature.kind not in features or name not in views:
                    yield feature.kind, view, name


def holds_all_of(wanted: StoreSpec, existing: StoreSpec) -> bool:
    """Whether ``wanted`` is ``existing`` with more features, or more views behind its own."""
    return (
        _without_parts(wanted) == _without_parts(existing)
        and wanted.views[: len(existing.views)] == existing.views
        and all(feature in wanted.features for feature in existing.features)
    )


def work_on(unit: Unit, wanted: StoreSpec, existing: UnitRecord | None) -> UnitWork | None:
    """What a unit lacks of ``wanted``; None where it lacks nothing.

    ``existing`` : the unit's record, if its clips are the unit's and its objects are there.
    """
    if existing is None or not holds_all_of(wanted, existing.spec):
        return UnitWork(unit, wanted, wanted, None)
    features = tuple(feature for feature in wanted.features if feature not in existing.spec.features)
    views = wanted.views[len(existing.spec.views) :]
    if features and views:  # the old views of the new features need nearly all of the work
        compute = wanted
    elif views:
        compute = wanted.model_copy(update={"views": views})
    elif features:
        slopes = any(isinstance(feature, DeltaSpec | Delta2Spec) for feature in features)
        needed = tuple(f for f in wanted.features if f in features or (slopes and isinstance(f, MfccSpec)))
        compute = wanted.model_copy(update={"features": needed})
    else:  # the same parts, in whatever order their specification lists the features
        return None if wanted == existing.spec else UnitWork(unit, wanted, wanted, None)
    return UnitWork(unit, wanted, compute, existing)


def _without_parts(spec: StoreSpec) -> StoreSpec:
    return spec.model_copy(update={"features": (), "views": ()})
