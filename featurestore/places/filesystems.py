"""fsspec file systems for the URLs of stores, and the properties of each kind."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from schemas.errors import StorageError
from schemas.telemetry import disable_telemetry

FileSystem = Any
"""An ``fsspec.AbstractFileSystem``; fsspec has no types."""

HTTP = frozenset({"http", "https"})
S3 = frozenset({"s3", "s3a"})
SFTP = frozenset({"sftp", "ssh"})
OBJECT_STORES = S3 | {"gs", "gcs", "az", "abfs", "abfss", "hf", "memory"}
"""Protocols whose objects appear only once they are complete, whose servers copy objects, and which list
everything below a prefix in one request. On all others, a file grows under its name and folders are walked.
"""

WRAPPERS = frozenset(
    {"async_wrapper", "blockcache", "cached", "dask", "data", "dir", "filecache", "generic", "libarchive"}
    | {"reference", "simplecache", "tar", "zip"}
)
"""Protocols that wrap another file system, or a file on one."""

EXTRAS = {"s3": "s3", "s3a": "s3", "http": "http", "https": "http", "sftp": "sftp", "ssh": "sftp", "hf": "hf"}
"""Protocol → the extra of this package that installs its library."""

_CLASSES = {"sftp": "sshfs.SSHFileSystem", "ssh": "sshfs.SSHFileSystem"}
"""Used instead of fsspec's own class, whose SFTP relies on paramiko and sends one request at a time."""

CONNECT_S = 10
READ_S = 30
"""Seconds without a byte after which a request counts as lost, while connecting and while reading."""


def protocol_of(url: str) -> str:
    """The protocol of a URL, in lower case: ``s3`` of ``s3://bucket/store``."""
    return url.partition("://")[0].lower()


def check_protocol(url: str) -> None:
    """Raise :class:`StorageError` if the protocol is unknown or its library is not installed."""
    _class_of(protocol_of(url))


def filesystem_of(url: str) -> FileSystem:
    """The file system of a URL.

    fsspec caches instances: one per process for asynchronous file systems (S3, HTTP, SFTP), which are
    thread-safe, and one per thread for all others. A forked process starts with none.
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
    """The file system's path of object ``name`` below ``url``; the root for an empty name."""
    if protocol_of(url) in HTTP:
        return f"{url.rstrip('/')}/{quote(name)}"
    root = filesystem._strip_protocol(url).rstrip("/")  # noqa: SLF001 (fsspec's way to read a URL)
    return f"{root}/{name}" if name else root or "/"


def open_file(filesystem: FileSystem, url: str, path: str, mode: str) -> Any:
    """Open a file on a file system that is not an object store.

    SFTP files get one request in flight: with more, asyncssh logs a traceback for each when the session is
    lost. Opening several files in parallel makes up for it.
    """
    return filesystem.open(path, mode, **({"max_requests": 1} if protocol_of(url) in SFTP else {}))


def forget(filesystem: FileSystem) -> None:
    """Make the next use connect again, because an SFTP session that broke stays broken."""
    if getattr(filesystem, "client", None) is not None:
        type(filesystem).clear_instance_cache()


def _class_of(protocol: str) -> Any:
    extra = EXTRAS.get(protocol)
    disable_telemetry()
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
            f"fsspec does not support {protocol}://; give a folder, or a URL with s3://, https://, "
            f"sftp:// or hf://"
        ) from None


def _s3_options(protocol: str) -> dict[str, Any]:
    """Options for S3, without the retries of botocore: :mod:`featurestore.places.retry` does that."""
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
    """Options for SFTP. Host keys are checked, which sshfs does not do: ``()`` means ~/.ssh/known_hosts."""
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
