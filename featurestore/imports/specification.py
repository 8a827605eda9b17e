"""The specification of an imported feature, and of the store with it."""

from __future__ import annotations

from pydantic import ValidationError

from featurestore.imports.source import FeatureSource
from schemas.errors import StoreConflictError, UsageError
from schemas.imported import ImportedSpec, require_imported_name
from schemas.known_encoders import KNOWN_ENCODERS
from schemas.recipe import first_problem
from schemas.spec import StoreSpec


def require_name(name: str) -> None:
    """Raise :class:`UsageError` unless an imported feature can be called ``name``."""
    try:
        require_imported_name(name)
    except ValueError as error:
        raise UsageError(f"{error}; give another NAME") from error
    if name in KNOWN_ENCODERS:
        raise UsageError(f"'{name}' is an encoder that a build computes; give the feature another NAME")


def describe(source: FeatureSource, name: str, provenance: str | None, store: StoreSpec) -> ImportedSpec:
    """The feature that ``source`` becomes.

    If the ``store`` has it from the same bytes, that is the feature, whatever its files are called now.
    Raises :class:`UsageError` if the source exceeds a limit.
    """
    before = _find(store, name)
    if (
        isinstance(before, ImportedSpec)
        and (before.sha256, before.shape, before.columns) == (source.sha256, source.shape, source.columns)
        and provenance in (None, before.provenance)
    ):
        return before
    try:
        return ImportedSpec(
            name=name,
            shape=source.shape,
            source=source.names,
            sha256=source.sha256,
            provenance=provenance or f"{source.form} {', '.join(source.names)}"[:500],
            columns=source.columns,
        )
    except ValidationError as error:
        raise UsageError(f"{first_problem(error)}; change the source") from error


def extend(spec: StoreSpec, feature: ImportedSpec, store: str, *, replace: bool) -> StoreSpec:
    """The store's specification with the feature, after its own ones or in its place. Not checked yet.

    Raises :class:`StoreConflictError` if the store has another feature of this name; with ``replace``, only
    if that one was computed.
    """
    before = _find(spec, feature.name)
    if before is None:
        return spec.model_copy(update={"features": (*spec.features, feature)})
    if not isinstance(before, ImportedSpec):
        raise StoreConflictError(f"{store} has computed the feature {feature.name}; give another NAME")
    if before != feature and not replace:
        raise StoreConflictError(
            f"{store} already has the feature {feature.name}, {_difference(before, feature)}; give another "
            f"NAME, or --replace to replace it"
        )
    features = tuple(feature if other is before else other for other in spec.features)
    return spec.model_copy(update={"features": features})


def _find(spec: StoreSpec, name: str) -> object | None:
    return next((feature for feature in spec.features if feature.name == name), None)


def _difference(before: ImportedSpec, feature: ImportedSpec) -> str:
    if before.sha256 != feature.sha256:
        return f"from other bytes ({', '.join(before.source or ())}, SHA-256 {str(before.sha256)[:12]}…)"
    if before.columns != feature.columns:
        return "from the same file with other columns"
    return f"with the provenance '{before.provenance}'"
