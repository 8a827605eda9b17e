"""Tokens that clients must send, from a file or the environment."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from schemas.errors import UsageError
from schemas.files.regular_file import read_regular_file

VARIABLE = "SER_SERVE_TOKEN"

_SHORTEST = 16
_MOST_BYTES = 65_536


@dataclass(frozen=True)
class Tokens:
    """Accepted tokens; none: every client is accepted."""

    values: tuple[bytes, ...] = ()

    @classmethod
    def find(cls, file: Path | None, environment: Mapping[str, str] = os.environ) -> Self:
        """Tokens of a file, one per line, or that of :data:`VARIABLE`. Lines that begin with # are comments.

        Raises :class:`UsageError` for a file that cannot be read or has no token, for a token that is short
        or contains spaces, and if there are both a file and the variable.
        """
        given = environment.get(VARIABLE)
        if file is None and given is None:
            return cls()
        if file is not None and given is not None:
            raise UsageError(f"--token-file {file} and ${VARIABLE} both give tokens; give one of them")
        source = f"${VARIABLE}" if file is None else str(file)
        text = (given or "") if file is None else _read(file)
        lines = [line.strip() for line in text.splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            raise UsageError(f"{source} has no token; write one, such as the output of: openssl rand -hex 32")
        for number, token in enumerate(found, 1):
            if len(token) < _SHORTEST or not token.isascii() or len(token.split()) != 1:
                raise UsageError(
                    f"token {number} of {source} is not usable; give at least {_SHORTEST} letters and digits "
                    "without spaces, such as the output of: openssl rand -hex 32"
                )
        return cls(tuple(token.encode() for token in found))

    def holder(self, authorization: str) -> int | None:
        """Number of the token in a header ``Authorization: Bearer TOKEN``; None if it is not accepted.

        Takes the same time for every wrong token of a length.
        """
        kind, _, token = authorization.partition(" ")
        sent = token.strip().encode("utf-8", "replace")
        found = None
        for number, known in enumerate(self.values):
            if hmac.compare_digest(sent, known):
                found = number
        return found if kind.lower() == "bearer" else None


def _read(file: Path) -> str:
    try:
        return read_regular_file(file, _MOST_BYTES).decode()
    except OSError as error:
        raise UsageError(
            f"cannot read --token-file {file}: {error.strerror or error}; give a file with one token per line"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--token-file {file} is not a text file; give one token per line") from error
