"""Text files that users write: by hand, by Notepad, by PowerShell, by Excel."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class TextError(ValueError):
    """The bytes of a file are no text; the message completes a sentence that begins with the file's name."""


def decode_text(data: bytes) -> str:
    """Text of a file without its byte order mark: UTF-8, or UTF-16 and UTF-32 if they are marked.

    Line ends stay as they are. Raises :class:`TextError`.
    """
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise TextError(_explain(data[len(mark) :], encoding, error)) from error


def _explain(data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    line = data[: error.start].count(b"\n") + 1
    if encoding != "utf-8":
        return f"is not valid {encoding[:-3].upper()} text; save it again as UTF-8"
    if b"\0" in data:
        return "is not a text file; give a UTF-8 text file"
    return (
        f"is not a UTF-8 text file (line {line}); it looks like Windows-1252 (cp1252), in which Excel saves "
        f"'CSV': save it as 'CSV UTF-8', or as UTF-8 in an editor"
    )
