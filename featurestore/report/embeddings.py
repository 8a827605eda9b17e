"""What a report says about clips as vectors: the layers of encoders, and a map of clips."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.progress import Progress
from featurestore.report.clip_map import ClipMap, map_clips
from featurestore.report.layers import LayerProfile, profile_layers
from featurestore.report.vectors import SampledVectors, middle_layer, read_spectral_vectors, read_states
from featurestore.store import FeatureStore


@dataclass(frozen=True)
class VectorFindings:
    """``layers``: one per feature of an encoder. ``map``: by the middle layer of the first one.

    Without encoders, the map is by MFCC or mel; None if the store has neither.
    """

    layers: tuple[LayerProfile, ...]
    map: ClipMap | None


def examine_embeddings(store: FeatureStore, progress: Progress) -> VectorFindings:
    """Read a sample of the originals, profile the layers of each encoder, and map the clips.

    Raises what :func:`featurestore.report.vectors.read_states` raises.
    """
    profiles: list[LayerProfile] = []
    vectors: SampledVectors | None = None
    for encoder in store.spec.encoders:
        states = read_states(store, encoder, progress)
        profiles.append(profile_layers(states))
        vectors = vectors or middle_layer(states)
    vectors = vectors or read_spectral_vectors(store, progress)
    found = map_clips(vectors, store.manifest) if vectors is not None else None
    return VectorFindings(tuple(profiles), found)
