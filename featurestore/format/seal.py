"""The last line of a document: the hash of what stands before it, so that any flipped bit is seen."""

from __future__ import annotations

import hashlib
import re

_SEAL = re.compile(rb',\n "seal": "([0-9a-f]{64})"\n}\n\Z')
_SEAL_BYTES = len(',\n "seal": ""\n}\n') + 64


def seal(text: str) -> bytes:
    """An indented JSON object with its seal as the last key: SHA-256 of the bytes before the comma."""
    body = text.rstrip().removesuffix("}").rstrip().encode()
    return body + f',\n "seal": "{hashlib.sha256(body).hexdigest()}"\n}}\n'.encode()


def unseal(data: bytes) -> tuple[bytes, bool]:
    """A document without its seal, and whether there was a true one."""
    found = _SEAL.search(data, max(0, len(data) - _SEAL_BYTES))
    if found is None:
        return data, False
    body = data[: found.start()]
    return body + b"\n}\n", hashlib.sha256(body).hexdigest().encode() == found[1]
