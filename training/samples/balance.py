"""Repeat training clips of smaller corpora, so that each corpus is heard equally often.

::

    ravdess ▪▪▪▪▪▪▪▪▪▪   ─▶  ▪▪▪▪▪▪▪▪▪▪
    savee   ▫▫▫▫         ─▶  ▫▫▫▫▫▫▫▫ ▫▫      every clip twice, two of them a third time

Repeated samples are the same for every model: networks read them again, and linear models weigh them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.samples.samples import Samples
from training.splits.draw import generator


def balance_corpora(samples: Samples, manifest: pd.DataFrame, seed: int) -> tuple[Samples, tuple[str, ...]]:
    """Repeat clips of smaller corpora until each corpus has as many as the largest, and say how often.

    Of n clips, each is used ``most // n`` times, and ``most mod n`` of them, drawn by ``seed`` and corpus,
    once more. A clip is repeated in all its views. Samples keep their order, copies next to each other.

    Returns a sentence per corpus with repeated clips.
    """
    clips = np.unique(samples.clips)
    corpora = manifest["dataset"].to_numpy()[clips].astype(str)
    names, counts = np.unique(corpora, return_counts=True)
    most = int(counts.max())
    copies = np.zeros(len(manifest), dtype=np.int64)
    sentences = []
    for name, count in zip(names, counts.tolist(), strict=True):
        own = clips[corpora == name]
        copies[own] = most // count
        extra = generator(seed, "balance", str(name)).permutation(len(own))[: most % count]
        copies[own[extra]] += 1
        if count < most:
            sentences.append(
                f"the {count:,} training clips of {name} are used {most / count:.1f} times on average, so "
                f"that each corpus has {most:,}"
            )
    rows = np.repeat(np.arange(len(samples)), copies[samples.clips])
    return Samples(samples.clips[rows], samples.views[rows], samples.targets[rows]), tuple(sentences)
