"""Fills in what a request leaves out about features of openSMILE: the version, and names of the values."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.opensmile import complete
from schemas.features import FeatureSpec
from schemas.opensmile import OpenSmileSpec


def fill_in_opensmile(
    features: Sequence[FeatureSpec], existing: Sequence[FeatureSpec]
) -> tuple[FeatureSpec, ...]:
    """Features with complete ones of openSMILE: as in the existing store, or else as they are installed.

    Raises :class:`UsageError` if the package is missing.
    """
    known = {feature.name: feature for feature in existing if isinstance(feature, OpenSmileSpec)}
    return tuple(
        known.get(feature.name) or complete(feature)
        if isinstance(feature, OpenSmileSpec) and not feature.is_complete
        else feature
        for feature in features
    )
