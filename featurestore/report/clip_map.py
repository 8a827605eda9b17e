"""A map of clips in two dimensions, and how well clips of one kind lie together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from featurestore.report.blocks import Doubles
from featurestore.report.vectors import SampledVectors
from schemas.labels import Gender

FEWEST_CLIPS = 10
"""Clips below which there is no map."""

MOST_COMPONENTS = 50
"""Principal components that t-SNE gets."""

MOST_PERPLEXITY = 30.0
ITERATIONS = 500
SEED = 0

Kind = Literal["emotion", "gender", "speaker", "sentence", "corpus"]
"""What clips are grouped by."""

_COLUMNS: dict[Kind, str] = {
    "emotion": "emotion",
    "gender": "gender",
    "speaker": "speaker",
    "sentence": "sentence",
    "corpus": "dataset",
}


NOT_KNOWN: dict[Kind, str] = {"gender": Gender.UNKNOWN, "sentence": ""}
"""Labels of clips whose group is not known."""


@dataclass(frozen=True)
class Separation:
    """How well groups are separated by the Euclidean distance of standardised vectors.

    ``clips``: those with a known group. ``silhouette``: mean over clips, −1 to 1 (Rousseeuw 1987); about 0 if
    groups overlap. ``nearest``: share of clips whose nearest clip has the same group. ``other_speaker``: the
    same for the nearest clip of another speaker; None for groups of speakers, or if there is one speaker.
    ``chance``: share of pairs of clips that have the same group.
    """

    clips: int
    groups: int
    silhouette: float
    nearest: float
    other_speaker: float | None
    chance: float


@dataclass(frozen=True)
class Grouping:
    """``labels``: (clip,). ``separation``: None if there is one group, or every clip is its own."""

    kind: Kind
    labels: tuple[str, ...]
    separation: Separation | None

    @property
    def groups(self) -> tuple[str, ...]:
        """The different labels of known groups, in alphabetical order."""
        return tuple(sorted(set(self.labels) - {NOT_KNOWN.get(self.kind)}))


@dataclass(frozen=True)
class MapPoints:
    """Two places of each clip.

    ``pca``: (clip, 2) float64, the first two principal components of the standardised vectors. ``explained``:
    their shares of the variance. ``tsne``: (clip, 2) float64, t-SNE of the first ``components``.
    """

    clip_ids: tuple[str, ...]
    pca: Doubles
    explained: tuple[float, float]
    components: int
    perplexity: float
    tsne: Doubles
    groupings: tuple[Grouping, ...]


@dataclass(frozen=True)
class ClipMap:
    """A map of ``clips`` clips out of ``usable`` ones by one feature, with ``width`` values per clip.

    ``layer``: as in :class:`SampledVectors`. ``points``: None if there are fewer than :data:`FEWEST_CLIPS`
    clips, or all have the same vector.
    """

    feature: str
    layer: int | None
    width: int
    clips: int
    usable: int
    points: MapPoints | None


def map_clips(of: SampledVectors, manifest: pd.DataFrame) -> ClipMap:
    """Map clips by their standardised vectors. The same vectors give the same map.

    PCA and t-SNE (van der Maaten & Hinton 2008; Barnes-Hut approximation) are scikit-learn's. t-SNE starts
    from the first two components (Kobak & Berens 2019) and runs in one thread, so that sums have one order.
    """
    clips, count = of.vectors.shape
    standardised = standardise(of.vectors)
    drawn = clips >= FEWEST_CLIPS and standardised.shape[1] > 0
    points = _map_points(standardised, manifest.iloc[of.sample.positions]) if drawn else None
    return ClipMap(of.feature, of.layer, count, clips, of.sample.usable, points)


def standardise(values: Doubles) -> Doubles:
    """Values with mean 0 and standard deviation 1 per column, without columns that never change."""
    if not len(values):
        return np.empty((0, 0))
    mean, std = values.mean(axis=0), values.std(axis=0)
    changing = std > 1e-9 * (1 + np.abs(mean))
    return np.asarray((values[:, changing] - mean[changing]) / std[changing], np.float64)


def _map_points(standardised: Doubles, rows: pd.DataFrame) -> MapPoints:
    # Imported before threads are limited, which has no effect on libraries that are loaded later.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.metrics import pairwise_distances

    clips, count = standardised.shape
    components = min(MOST_COMPONENTS, clips - 1, count)
    perplexity = min(MOST_PERPLEXITY, (clips - 1) / 3)
    with threadpool_limits(1):
        analysis = PCA(components, svd_solver="covariance_eigh").fit(standardised)
        reduced = analysis.transform(standardised)
        first = np.zeros((clips, 2))
        first[:, : min(2, components)] = reduced[:, :2]
        tsne = TSNE(
            perplexity=perplexity,
            init=(1e-4 * first / first[:, 0].std()).astype(np.float32),
            max_iter=ITERATIONS,
            random_state=SEED,
            n_jobs=1,
        )
        places = np.asarray(tsne.fit_transform(reduced), np.float64)
        distances = pairwise_distances(standardised)
    shares = [*analysis.explained_variance_ratio_.tolist(), 0.0]
    speakers = rows["speaker"].astype(str).to_numpy(object)
    return MapPoints(
        clip_ids=tuple(rows["clip_id"].astype(str)),
        pca=first,
        explained=(shares[0], shares[1]),
        components=components,
        perplexity=perplexity,
        tsne=places,
        groupings=tuple(
            Grouping(kind, tuple(labels), separate(distances, labels.to_numpy(object), speakers, kind))
            for kind, column in _COLUMNS.items()
            for labels in [rows[column].astype(str)]
        ),
    )


def separate(
    distances: Doubles, labels: npt.NDArray[np.object_], speakers: npt.NDArray[np.object_], kind: Kind
) -> Separation | None:
    """Measure how well ``labels`` (clip,) are separated by ``distances`` (clip, clip).

    Clips whose group is not known are left out. None if the others have one label, or each its own.
    """
    from sklearn.metrics import silhouette_score

    known = np.flatnonzero(np.asarray(labels != NOT_KNOWN.get(kind)))
    apart, labels, speakers = distances[np.ix_(known, known)], labels[known], speakers[known]
    sizes = np.unique(labels, return_counts=True)[1] if len(labels) else np.zeros(0, np.int64)
    if not 2 <= len(sizes) < len(labels):
        return None
    silhouette = float(silhouette_score(apart, labels, metric="precomputed"))
    same = np.asarray(labels[:, np.newaxis] == labels)
    of_speaker = np.asarray(speakers[:, np.newaxis] == speakers)
    return Separation(
        clips=len(labels),
        groups=len(sizes),
        silhouette=silhouette,
        nearest=_share_of_nearest(apart, np.eye(len(labels), dtype=np.bool_), same),
        other_speaker=None
        if kind == "speaker" or of_speaker.all()
        else _share_of_nearest(apart, of_speaker, same),
        chance=float((sizes * (sizes - 1)).sum() / (len(labels) * (len(labels) - 1))),
    )


def _share_of_nearest(
    distances: Doubles, left_out: npt.NDArray[np.bool_], same: npt.NDArray[np.bool_]
) -> float:
    """Share of clips whose nearest one, apart from those left out, is of the same group."""
    nearest = np.where(left_out, np.inf, distances).argmin(axis=1)
    return float(same[np.arange(len(same)), nearest].mean())
