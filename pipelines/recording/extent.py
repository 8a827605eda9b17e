"""What a header announces of a file's samples, and what the file holds."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.recording.source import Patch

STREAMED_SIZE = 0x7FFF0000
"""Programs that write to a pipe announce a size from here to 2³² − 1, as they do not know the actual size."""


@dataclass(frozen=True)
class Extent:
    """Where the encoded samples of a recording end, whatever its header says.

    ``announced`` : bytes of samples by the header; None if it does not say, as in streamed files.
    ``held``      : bytes of samples that the file holds.
    ``patches``   : header fields, so corrected that libsndfile reads exactly what is held.
    ``frames``    : most samples per channel in ``held``, where libsndfile would read more; else None.
    ``codec``     : a codec that is not decoded, such as "AAC" or "the codec 0x1234", or "".
    ``is_ended``  : whether chunks or tags behind the samples show that the end is not missing.
    ``lost``      : why the file is truncated, if another sign than its length says so, or "".
    ``note``      : a doubt about the file, or "".
    """

    announced: int | None = None
    held: int = 0
    patches: tuple[Patch, ...] = ()
    frames: int | None = None
    codec: str = ""
    is_ended: bool = False
    lost: str = ""
    note: str = ""
