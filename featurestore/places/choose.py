"""The place that a path or a URL names."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from featurestore.places.filesystems import HTTP, WRAPPERS, check_protocol, protocol_of
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.places.refusals import mask
from featurestore.places.remote import Remote
from schemas.errors import StorageError

_ONE_SLASH = re.compile(r"(s3|gs|gcs|az|abfs|https?|sftp|ssh|hf):/([^/].*)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")


def is_url(where: str | Path) -> bool:
    """Whether ``where`` starts with a protocol, including ``file://`` and chains such as ``zip::``."""
    return isinstance(where, str) and _URL.match(where) is not None


def place_at(where: str | Path) -> Place:
    """The place that a path or a URL names; nothing is opened.

    Raises :class:`~schemas.errors.StorageError` for an empty name, a URL with a single slash, and a protocol
    that is unknown, needs a missing package, or wraps another one (``zip::``, ``simplecache::``).
    """
    if not isinstance(where, str) or not is_url(where):
        _refuse_slips(where)
        return Folder(Path(where))
    _refuse_chain(where)
    try:
        parts = urlsplit(where)
        parts.port  # noqa: B018 (raises if it is not a number)
    except ValueError as error:
        raise StorageError(f"{mask(where)} is not a valid URL ({error}); correct it") from None
    if protocol_of(where) in ("file", "local"):
        if parts.netloc not in ("", "localhost"):
            raise StorageError(f"{where} names a file on another host; give file:///folder or a path")
        return Folder(Path(unquote(parts.path)))
    if protocol_of(where) in HTTP and (parts.query or parts.fragment):
        raise StorageError(
            f"{mask(where)} has a query or a fragment; give the plain address of the store's folder"
        )
    if not where.partition("://")[2].strip("/"):
        raise StorageError(
            f"{where} is incomplete; give a full URL such as {where.partition(':')[0]}://lab/emotions"
        )
    check_protocol(where)
    return Remote(where.rstrip("/"))


def _refuse_slips(where: str | Path) -> None:
    """Refuse typing mistakes that would pass as paths: an empty name, and ``s3:/lab``."""
    if where == "":
        raise StorageError("the name of the store is empty; give a folder or a URL")
    slip = _ONE_SLASH.match(where) if isinstance(where, str) else None
    if slip:
        raise StorageError(f"{where} is not a URL; write two slashes after the colon: {slip[1]}://{slip[2]}")


def _refuse_chain(url: str) -> None:
    if "::" in url or protocol_of(url) in WRAPPERS:
        outer = re.split("::|://", url)[0]
        raise StorageError(
            f"{mask(url)} wraps another URL in {outer}; give the URL or path itself "
            f"(remote stores are cached anyway, and `unpack` opens packed ones)"
        )
