"""Selection of a part of a store by names, and the specification of that part."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from featurestore.format.documents import StoreDocument
from schemas.encoders import EncoderSpec
from schemas.errors import UnknownNameError, UsageError
from schemas.features import FeatureSpec
from schemas.recipe import first_problem
from schemas.spec import StoreSpec
from schemas.views import ORIGINAL


@dataclass(frozen=True)
class PartSelection:
    """Names of corpora, features and views, and layers of encoders (None: all).

    Every part includes the original view.
    """

    datasets: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    views: tuple[str, ...] | None = None
    layers: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        datasets: str | None = None,
        features: str | None = None,
        views: str | None = None,
        layers: tuple[int, ...] | None = None,
    ) -> PartSelection:
        """Parse command-line values: comma-separated names, or ``all`` or None for all of them."""
        return cls(_names(datasets), _names(features), _names(views), layers)

    def datasets_of(self, document: StoreDocument) -> list[str]:
        """The selected corpora, sorted. Raises :class:`UnknownNameError` for an unknown one."""
        return sorted(_choose("corpus", self.datasets, sorted(document.datasets)))

    def spec_of(self, document: StoreDocument) -> StoreSpec:
        """The specification of the part, with features and views in the order of the store.

        Raises :class:`UnknownNameError` for a name that the store does not have, and :class:`UsageError` for
        a layer that it does not have, and for a part that cannot be a store, such as slopes without the
        feature they are derived from.
        """
        spec = document.spec
        features = _choose("feature", self.features, tuple(spec.coefficients))
        views = _choose("view", self.views, spec.view_names) | {ORIGINAL}
        kept = [feature for feature in spec.features if feature.name in features]
        if self.layers is not None:
            kept = _with_layers(kept, self.layers)
        parts = {
            "features": [feature.model_dump() for feature in kept],
            "views": [view.model_dump() for view in spec.views if view.name in views],
        }
        try:
            return StoreSpec.model_validate({**spec.model_dump(), **parts})
        except ValidationError as error:
            raise UsageError(f"this part cannot be a store: {first_problem(error)}") from error


def _with_layers(features: Sequence[FeatureSpec], layers: Sequence[int]) -> list[FeatureSpec]:
    """The features, of encoders only these layers."""
    if not any(isinstance(feature, EncoderSpec) for feature in features):
        raise UsageError("--layers selects layers of encoders, but this part has none; leave --layers out")
    out: list[FeatureSpec] = []
    for feature in features:
        if isinstance(feature, EncoderSpec):
            if missing := sorted({*layers} - {*feature.all_layers}):
                held = ", ".join(map(str, feature.all_layers))
                raise UsageError(f"the store has no layer {missing[0]} of {feature.name}; it has {held}")
            out.append(feature.model_copy(update={"layers": tuple(sorted({*layers}))}))
        else:
            out.append(feature)
    return out


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None or text.strip() == "all":
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _choose(kind: str, names: Sequence[str] | None, known: Collection[str]) -> set[str]:
    if names is None:
        return set(known)
    if not names:
        raise UsageError(f"no {kind} is named; choose from {', '.join(known)}")
    for name in names:
        if name not in known:
            raise UnknownNameError(f"the store has no {kind} '{name}'; it has {', '.join(known)}")
    return set(names)
