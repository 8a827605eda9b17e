"""The seal of a document: a last line with the hash of all before it, so any flipped bit is detected."""

from __future__ import annotations

import hashlib
import re

_SEAL = re.compile(rb',\n "seal": "([0-9a-f]{64})"\n}\n\Z')
_SEAL_BYTES = len(',\n "seal": ""\n}\n') + 64


def seal(text: str) -> bytes:
    """Add the seal to an indented JSON object as its last key: the SHA-256 of the bytes before the comma."""
    body = text.rstrip().removesuffix("}").rstrip().encode()
    return body + f',\n "seal": "{hashlib.sha256(body).hexdigest()}"\n}}\n'.encode()


def unseal(data: bytes) -> tuple[bytes, bool]:
    """The document without its seal, and whether it had a valid one."""
    found = _SEAL.search(data, max(0, len(data) - _SEAL_BYTES))
    if found is None:
        return data, False
    body = data[: found.start()]
    return body + b"\n}\n", hashlib.sha256(body).hexdigest().encode() == found[1]
