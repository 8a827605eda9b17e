"""How a store grows: which parts of a unit are kept when features, views or clips are added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from featurestore.format.documents import UnitRecord
from featurestore.plan.units import Unit
from schemas.encoders import EncoderSpec
from schemas.features import Delta2Spec, DeltaSpec, FeatureSpec, MfccSpec
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class UnitWork:
    """A unit that is incomplete.

    ``spec``     : what the unit will hold.
    ``compute``  : the part of ``spec`` that the pipeline computes; never imported features.
    ``existing`` : the unit's record if some of its shards are kept, else None.
    ``before``   : the record that the unit had, whatever has changed since: imported features are taken over
    from it, because they cannot be computed again.
    ``rewrite``  : features to write again although ``existing`` has them.
    """

    unit: Unit
    spec: StoreSpec
    compute: StoreSpec
    existing: UnitRecord | None
    before: UnitRecord | None = None
    rewrite: frozenset[str] = frozenset()

    @property
    def missing(self) -> Iterator[tuple[str, int, str]]:
        """Feature, view index and view name of every shard to write."""
        old = self.existing.spec if self.existing else None
        features = {feature.name for feature in old.features} - self.rewrite if old else set()
        views = set(old.view_names) if old else set()
        for feature in self.spec.features:
            for view, name in enumerate(self.spec.view_names):
                if feature.name not in features or name not in views:
                    yield feature.name, view, name

    @property
    def computed(self) -> Iterator[tuple[str, int, str]]:
        """As :attr:`missing`, of the features that the pipeline computes."""
        imported = {feature.name for feature in self.spec.imported}
        return (part for part in self.missing if part[0] not in imported)


def extends(wanted: StoreSpec, existing: StoreSpec) -> bool:
    """Whether ``wanted`` is ``existing``, possibly with more features or with more views after its own."""
    return (
        _without_parts(wanted) == _without_parts(existing)
        and wanted.views[: len(existing.views)] == existing.views
        and all(feature in wanted.features for feature in existing.features)
    )


def plan_work(
    unit: Unit, wanted: StoreSpec, existing: UnitRecord | None, before: UnitRecord | None = None
) -> UnitWork | None:
    """The work that makes ``unit`` hold ``wanted``; None if it already does.

    ``existing`` : the unit's record if it has the unit's clips and its objects are intact, else None.
    ``before`` : the record that it has, whatever has changed since.
    """
    all_of_it = wanted.computed
    if existing is None or not extends(wanted, existing.spec):
        return UnitWork(unit, wanted, all_of_it, None, before)
    features = tuple(feature for feature in wanted.features if feature not in existing.spec.features)
    views = wanted.views[len(existing.spec.views) :]
    if features and views:  # the new features of the old views need nearly all of the work
        compute = all_of_it
    elif views:
        compute = all_of_it.model_copy(update={"views": views})
    elif features:
        slopes = any(isinstance(feature, DeltaSpec | Delta2Spec) for feature in features)
        needed = tuple(f for f in all_of_it.features if f in features or (slopes and isinstance(f, MfccSpec)))
        compute = all_of_it.model_copy(update={"features": needed or _one_of(all_of_it.features)})
    else:  # the same parts; at most, the specification lists the features in another order
        same = wanted == existing.spec
        return None if same else UnitWork(unit, wanted, all_of_it, None, before)
    return UnitWork(unit, wanted, compute, existing)


def _one_of(features: tuple[FeatureSpec, ...]) -> tuple[FeatureSpec, ...]:
    """A feature that is quick to compute: something has to be, if only imported ones are missing."""
    quick = [one for one in features if not isinstance(one, DeltaSpec | Delta2Spec | EncoderSpec)]
    return tuple(quick[:1]) or features


def _without_parts(spec: StoreSpec) -> StoreSpec:
    return spec.model_copy(update={"features": (), "views": ()})
