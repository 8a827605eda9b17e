"""A recording as a file object for libsndfile's callbacks."""

from __future__ import annotations

import io

from pipelines.recording.source import ByteSource


class Cursor:
    """A position in a source. It never raises: an exception in a callback would be printed, not raised.

    ``failure`` : the first exception met while reading, after which the source seems to have ended; None if
    there was none.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._at = 0
        self.failure: OSError | MemoryError | None = None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; a damaged header that leads to before the start does not."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        if start + offset >= 0:
            self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Position in bytes."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Read into ``buffer``; returns the number of bytes, fewer only at the end."""
        try:
            count = self._source.copy(self._at, memoryview(buffer))
        except (OSError, MemoryError) as error:
            self.failure = self.failure or error
            return 0
        self._at += count
        return count
