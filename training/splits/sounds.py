"""Which clips share sound: copies of one recording, and segments that overlap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd


def has_segments(clips: pd.DataFrame) -> bool:
    """Whether the manifest ``clips`` may have parts of recordings."""
    return "start_s" in clips or "end_s" in clips


def is_segment(clips: pd.DataFrame) -> pd.Series:
    """Boolean on the index of ``clips``: whether a clip is a part of its recording."""
    found = pd.Series(data=False, index=clips.index)
    for name in ("start_s", "end_s"):
        if name in clips:
            found |= clips[name].notna()
    return found


def sounds_of(clips: pd.DataFrame) -> pd.Series:
    """Name of the sound of each clip, on the index of the manifest ``clips``.

    Clips share it if they have the same recording, by its SHA-256, and overlap in time, or are joined by
    others that overlap. It is the hash, followed by the first second of the sound for segments. A clip
    without a hash has none.
    """
    sounds: pd.Series = clips["audio_sha256"].astype(object)
    if not has_segments(clips):
        return sounds
    start, end = _seconds(clips, "start_s", 0.0), _seconds(clips, "end_s", np.inf)
    of_cut = sounds[is_segment(clips)].dropna().unique()
    shared = np.flatnonzero(sounds.isin(of_cut[of_cut != ""]).to_numpy())
    digests = sounds.to_numpy(object, copy=True)
    recording, _ = pd.factorize(digests[shared])
    before, begins, until = -1, 0.0, 0.0
    for at in np.lexsort((start[shared], recording)):
        clip = shared[at]
        if recording[at] != before or start[clip] >= until:
            before, begins, until = recording[at], start[clip], end[clip]
        until = max(until, end[clip])
        digests[clip] = f"{digests[clip]} from {float(begins)} s"
    return pd.Series(digests, index=clips.index, dtype=object)


def _seconds(clips: pd.DataFrame, name: str, otherwise: float) -> npt.NDArray[np.float64]:
    if name not in clips:
        return np.full(len(clips), otherwise)
    return clips[name].fillna(otherwise).to_numpy(np.float64)
