"""Read the files of a form, in parts as they arrive, into memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

_LONGEST_NAME = 120

_FIELDS = 16
"""Most parts of a form in addition to its files: parsing a part takes time in which nobody else is served."""


class BadFormError(Exception):
    """The request is not a form with files. The message may be shown to the sender."""


class TooManyFilesError(BadFormError):
    """The form has more files than allowed."""


class UploadPausedError(BadFormError):
    """The sender has stopped sending."""


@dataclass(frozen=True)
class Upload:
    """A file as it was sent; ``name`` is the sender's name for it."""

    name: str
    content: bytes


async def read_file(content_type: str, body: AsyncIterator[bytes], limit: int) -> Upload:
    """Read the only file of a ``multipart/form-data`` body; raises what :func:`read_files` raises."""
    (file,) = await read_files(content_type, body, limit)
    return file


async def read_files(
    content_type: str, body: AsyncIterator[bytes], limit: int, most: int = 1
) -> tuple[Upload, ...]:
    """Read the files of a ``multipart/form-data`` body, in order.

    Raises :class:`BadFormError` unless there are 1 to ``most`` files and few other fields,
    :class:`TooManyFilesError`, and :class:`OverflowError` as soon as a file has more than ``limit`` bytes.
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise BadFormError("send the recording as a form, multipart/form-data")
    form = _Form(limit, most)
    # It would log every malformed form, and any visitor could flood the terminal.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in body:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise BadFormError("the form breaks off or is malformed; send the recording again") from error
    if not form.ended or not form.files:
        raise BadFormError("the form has no file")
    return tuple(Upload(name, bytes(content)) for name, content in form.files)


class _Form:
    """State of the form while the parser reports its parts."""

    def __init__(self, limit: int, most: int) -> None:
        self.files: list[tuple[str, bytearray]] = []
        self.ended = False
        self._limit, self._most = limit, most
        self._parts = 0
        self._is_file = False
        self._field = self._value = b""
        self._disposition = b""

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_end": self._ends,
        }

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > self._most + _FIELDS:
            raise BadFormError("the form has too many parts; send only recordings")
        self._is_file = False
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _headers_end(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            return
        if len(self.files) == self._most:
            few = "one recording" if self._most == 1 else f"at most {self._most:,} recordings"
            raise TooManyFilesError(f"send {few} at a time")
        self._is_file = True
        self.files.append((_display_name(options[b"filename"]), bytearray()))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            return
        content = self.files[-1][1]
        content += data[start:end]
        if len(content) > self._limit:
            raise OverflowError

    def _ends(self) -> None:
        self.ended = True


def _display_name(name: bytes) -> str:
    """A file's name for display: without folders and control characters, and of limited length."""
    last = name.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    return "".join(mark for mark in last if mark.isprintable())[:_LONGEST_NAME] or "recording"
