"""TensorBoard events, written as they arise: TensorBoard's own writer loses errors in its thread."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

_VERSION = "brain.Event:2"


class EventFile:
    """A new event file in ``folder``, which is created if needed; a context manager that closes it.

    ``first_step``: TensorBoard hides events of this and later steps in older files. All methods raise
    :class:`OSError` if the file cannot be written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(exist_ok=True)
        self._file = _open_new(folder)
        self._records = RecordWriter(self._file)
        self._write(Event(file_version=_VERSION))
        if first_step > 1:
            self._write(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the values of a step, by tag."""
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self._write(Event(step=step, summary=Summary(value=values)))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
        self._records.flush()


def _open_new(folder: Path) -> IO[bytes]:
    """Create a file that sorts after those of earlier processes, which is how TensorBoard reads them."""
    now = int(time.time())
    for attempt in count():
        path = folder / f"events.out.tfevents.{now:010d}.{os.getpid()}.{attempt}"
        try:
            return path.open("xb")
        except FileExistsError:
            continue
    raise AssertionError  # count() has no end
