"""Which part of a store is asked for, by name, and the specification that such a part has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from featurestore.format.documents import StoreDocument
from schemas.errors import UnknownNameError, UsageError
from schemas.recipe import first_problem
from schemas.spec import StoreSpec
from schemas.views import ORIGINAL


@dataclass(frozen=True)
class PartSelection:
    """Names of corpora, features and views; None: all. The original is in every part, asked for or not."""

    datasets: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    views: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls, datasets: str | None = None, features: str | None = None, views: str | None = None
    ) -> PartSelection:
        """What was said on the command line: names parted by commas, ``all`` or nothing for all of them."""
        return cls(_names(datasets), _names(features), _names(views))

    def datasets_of(self, document: StoreDocument) -> list[str]:
        """The corpora asked for, sorted. Raises :class:`UnknownNameError`."""
        return sorted(_choose("corpus", self.datasets, sorted(document.datasets)))

    def spec_of(self, document: StoreDocument) -> StoreSpec:
        """What the part holds: features and views in the store's order, whatever the order of asking.

        Raises :class:`UnknownNameError` for what the store has not, :class:`UsageError` for a part that
        cannot stand by itself: slopes without what they are the slopes of.
        """
        spec = document.spec
        features = _choose("feature", self.features, tuple(spec.coefficients))
        views = _choose("view", self.views, spec.view_names) | {ORIGINAL}
        parts = {
            "features": [feature.model_dump() for feature in spec.features if feature.kind in features],
            "views": [view.model_dump() for view in spec.views if view.name in views],
        }
        try:
            return StoreSpec.model_validate({**spec.model_dump(), **parts})
        except ValidationError as error:
            raise UsageError(f"no store can hold this part: {first_problem(error)}") from error


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None or text.strip() == "all":
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _choose(kind: str, names: Sequence[str] | None, known: Collection[str]) -> set[str]:
    if names is None:
        return set(known)
    if not names:
        raise UsageError(f"no {kind} is named; the store has {', '.join(known)}")
    for name in names:
        if name not in known:
            raise UnknownNameError(f"the store has no {kind} '{name}'; it has {', '.join(known)}")
    return set(names)
