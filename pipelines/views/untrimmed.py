"""The recording before trimming."""

from __future__ import annotations

from pipelines.batch import ClipBatch, ViewBatch


def untrimmed(batch: ClipBatch) -> ViewBatch:
    """The clips before trimming, cut to the fixed length; at the scale of the original.

    Nothing is drawn and nothing computed: the batch holds these waveforms beside those of the original.
    Raises ``ValueError`` if it does not.
    """
    if batch.untrimmed is None:
        raise ValueError("the batch lacks the clips before trimming, which a view needs")
    return batch.untrimmed
