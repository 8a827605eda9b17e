"""How many sentences of a test are also in training, corpus by corpus. No torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from training.audits.overlap import spoken_sentences


@dataclass(frozen=True)
class SharedSentences:
    """Distinct sentences in the test clips of corpora, and how many of them training has too.

    A sentence belongs to one corpus: the same words in two corpora count as two sentences.
    """

    corpora: tuple[str, ...]
    """One name; several if only their total is known."""
    tested: int
    """0 if the corpora do not identify their sentences."""
    heard: int | None
    """None: not known, because the training clips are not in the store."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"corpora": list(self.corpora), "tested": self.tested, "heard": self.heard}


def shared_sentences(
    manifest: pd.DataFrame, trained: Collection[str], tested: Collection[str]
) -> tuple[SharedSentences, ...]:
    """Compare the sentences of clips ``tested`` with those of clips ``trained``, by corpus, sorted by name.

    Of a corpus with training clips that are not in ``manifest`` it is not known what training heard.
    """
    of_test = manifest[manifest["clip_id"].isin(set(tested))]
    of_training = manifest[manifest["clip_id"].isin(set(trained))]
    missing = {clip.partition("/")[0] for clip in set(trained) - set(of_training["clip_id"])}
    heard = spoken_sentences(of_training)
    found = []
    for corpus, clips in of_test.groupby("dataset", sort=True):
        said = spoken_sentences(clips)
        known = str(corpus) not in missing
        found.append(SharedSentences((str(corpus),), len(said), len(said & heard) if known else None))
    return tuple(found)
