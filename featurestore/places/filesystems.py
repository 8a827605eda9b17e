"""fsspec's file systems for the URLs of stores, and what is known about each kind."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from schemas.errors import StorageError

FileSystem = Any
"""An ``fsspec.AbstractFileSystem``; fsspec has no types."""

HTTP = frozenset({"http", "https"})
S3 = frozenset({"s3", "s3a"})
SFTP = frozenset({"sftp", "ssh"})
OBJECT_STORES = S3 | {"gs", "gcs", "az", "abfs", "abfss", "hf", "memory"}
"""An object gets its name with its last byte, one request lists all below a prefix, and copies are the
server's work. On all others a file grows under its name, and folders are walked."""

WRAPPERS = frozenset(
    {"async_wrapper", "blockcache", "cached", "dask", "data", "dir", "filecache", "generic", "libarchive"}
    | {"reference", "simplecache", "tar", "zip"}
)
"""Protocols which stand for another file system, or for a file on one."""

EXTRAS = {"s3": "s3", "s3a": "s3", "http": "http", "https": "http", "sftp": "sftp", "ssh": "sftp", "hf": "hf"}
"""Protocol → the extra of this package that brings its library."""

_CLASSES = {"sftp": "sshfs.SSHFileSystem", "ssh": "sshfs.SSHFileSystem"}
"""Instead of fsspec's own choice: its SFTP takes paramiko, one request at a time."""

CONNECT_S = 10
READ_S = 30
"""Seconds without a byte after which a request counts as lost."""


def protocol_of(url: str) -> str:
    """``s3`` of ``s3://bucket/store``."""
    return url.partition("://")[0].lower()


def check_protocol(url: str) -> None:
    """Raise :class:`StorageError` for a protocol that nobody knows or whose library is not installed."""
    _class_of(protocol_of(url))


def filesystem_of(url: str) -> FileSystem:
    """The file system of a URL.

    fsspec keeps instances: one a process for the asynchronous ones (S3, HTTP, SFTP), which are safe for
    threads, and one a thread for all others. A forked process begins with none.
    """
    protocol = protocol_of(url)
    cls = _class_of(protocol)
    from_url = cls._get_kwargs_from_urls(url)
    options = _OPTIONS[protocol](protocol) if protocol in _OPTIONS else {}
    filesystem = cls(**options, **from_url)
    if protocol in S3:
        filesystem.retries = 1
    return filesystem


def path_of(filesystem: FileSystem, url: str, name: str) -> str:
    """What the file system calls object ``name`` below ``url``; the root for an empty name."""
    if protocol_of(url) in HTTP:
        return f"{url.rstrip('/')}/{quote(name)}"
    root = filesystem._strip_protocol(url).rstrip("/")  # noqa: SLF001 (fsspec's way to read a URL)
    return f"{root}/{name}" if name else root or "/"


def open_file(filesystem: FileSystem, url: str, path: str, mode: str) -> Any:
    """A file of a file system that is no object store.

    By SFTP with one request under way: of more, asyncssh logs a traceback each when the session is lost.
    Several files at once make up for it.
    """
    return filesystem.open(path, mode, **({"max_requests": 1} if protocol_of(url) in SFTP else {}))


def forget(filesystem: FileSystem) -> None:
    """Let the next use connect anew: an SFTP session that broke stays broken."""
    if getattr(filesystem, "client", None) is not None:
        type(filesystem).clear_instance_cache()


def _class_of(protocol: str) -> Any:
    extra = EXTRAS.get(protocol)
    try:
        import fsspec

        if protocol in _CLASSES:
            module, name = _CLASSES[protocol].split(".")
            return getattr(importlib.import_module(module), name)
        return fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        if extra is None:
            raise StorageError(f"{protocol}:// needs a package that is not installed: {error}") from None
        raise StorageError(
            f"{protocol}:// needs a package that is not installed; pip install 'ser-features[{extra}]'"
        ) from None
    except ValueError:
        raise StorageError(
            f"{protocol}:// is no protocol that fsspec knows; give a folder, or a URL with s3://, https://, "
            f"sftp:// or hf://"
        ) from None


def _s3_options(protocol: str) -> dict[str, Any]:
    """Retries are ours (:mod:`featurestore.places.retry`): botocore's and s3fs's own would multiply them."""
    given = _configured(protocol).get("config_kwargs", {})
    config = {
        "connect_timeout": CONNECT_S,
        "read_timeout": READ_S,
        "max_pool_connections": 32,
        **(given if isinstance(given, Mapping) else {}),
        "retries": {"total_max_attempts": 1, "mode": "standard"},
    }
    return {"config_kwargs": config, "use_listings_cache": False}


def _sftp_options(protocol: str) -> dict[str, Any]:
    """Host keys are checked, which sshfs leaves out; ``()`` is asyncssh's word for ~/.ssh/known_hosts."""
    return {
        "known_hosts": (),
        "connect_timeout": CONNECT_S,
        "login_timeout": READ_S,
        "keepalive_interval": READ_S / 3,
        **_configured(protocol),
    }


def _configured(protocol: str) -> Mapping[str, Any]:
    import fsspec.config

    found: Mapping[str, Any] = fsspec.config.conf.get(protocol, {})
    return found


_OPTIONS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    **dict.fromkeys(S3, _s3_options),
    **dict.fromkeys(SFTP, _sftp_options),
}
