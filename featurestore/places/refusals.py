"""Interpretation of errors from remote places: whether a retry may help, and the message for the user."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from featurestore.places.filesystems import HTTP, S3, protocol_of
from schemas.errors import SerError, StorageError

_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_PASSING_CODES = {"RequestTimeout", "SlowDown", "InternalError", "OperationAborted", "IncompleteBody",
                  "ConditionalRequestConflict", "XAmzContentSHA256Mismatch"}  # fmt: skip
_BROKEN = {"aiohttp.ClientPayloadError", "aiohttp.ClientConnectionError", "botocore.HTTPClientError",
           "botocore.ConnectionError", "botocore.ResponseStreamingError", "botocore.IncompleteReadError",
           "botocore.ResponseParserError", "asyncssh.ConnectionLost", "asyncssh.SFTPConnectionLost",
           "asyncssh.SFTPNoConnection", "httpx.TransportError", "httpx2.TransportError",
           "requests.ConnectionError"}  # fmt: skip
"""Matched by name, because none of these libraries needs to be installed."""
_LATE = {"aiohttp.ServerTimeoutError", "botocore.ConnectTimeoutError", "botocore.ReadTimeoutError",
         "httpx.TimeoutException", "httpx2.TimeoutException"}  # fmt: skip
_ABSENT = {"asyncssh.SFTPNoSuchFile", "asyncssh.SFTPNoSuchPath"}
_ANONYMOUS = {"botocore.NoCredentialsError", "botocore.PartialCredentialsError",
              "botocore.ProfileNotFound", "botocore.TokenRetrievalError"}  # fmt: skip
_REJECTED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_OFFLINE = {"huggingface_hub.OfflineModeIsEnabled"}
_FULL = {"asyncssh.SFTPNoSpaceOnFilesystem", "asyncssh.SFTPQuotaExceeded"}


def mask(url: str) -> str:
    """Replace the parts of a URL that may be secret: the part before ``@`` and the query."""
    try:
        urlsplit(url)
    except ValueError:
        return f"{protocol_of(url)}://…"
    plain = re.sub(r"://[^/]*@", "://***@", url.partition("#")[0])
    return re.sub(r"\?.*", "?***", plain)


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, SerError) or is_absent(error):
        return False
    if _errnos(error) & {errno.ENOSPC, errno.EDQUOT} or _unknown_host(error) or _names(error) & _OFFLINE:
        return False
    status, code = _last_response(error)
    if status is not None:
        return status in _PASSING_STATUS or code in _PASSING_CODES
    return isinstance(error, (ConnectionError, TimeoutError)) or bool(_names(error) & (_BROKEN | _LATE))


def is_absent(error: Exception) -> bool:
    """Whether the error says that the object does not exist, in a place that does."""
    if _last_response(error)[1] == "NoSuchBucket":
        return False
    return isinstance(error, (FileNotFoundError, NotADirectoryError)) or bool(_names(error) & _ABSENT)


def refusal(error: Exception, verb: str, url: str, name: str = "") -> SerError:
    """The error as one sentence without secrets. ``verb`` is what was attempted: read, write, list…"""
    if isinstance(error, SerError):
        return error
    where = mask(url) + (f"/{name}" if name else "")
    return StorageError(f"cannot {verb} {where}: {_reason(error, url)}")


def _reason(error: Exception, url: str) -> str:
    host = urlsplit(url).hostname
    server = "the S3 server (see AWS_ENDPOINT_URL)" if protocol_of(url) in S3 else str(host)
    return (
        _of_the_bucket(error, host)
        or _of_the_login(error, url, server)
        or _of_the_server(error, server)
        or f"{_scrub(error, url)}; check the URL"
    )


def _of_the_bucket(error: Exception, bucket: str | None) -> str | None:
    code = _last_response(error)[1]
    if code == "NoSuchBucket":
        return f"there is no bucket {bucket}; create it, or check the name and AWS_ENDPOINT_URL"
    if code in _ELSEWHERE:
        return f"the bucket {bucket} is in another region; set AWS_DEFAULT_REGION to that region"
    if code in _REJECTED:
        return f"the server rejects the credentials ({code}); check or renew them"
    if _names(error) & _ANONYMOUS:
        return (
            "no usable credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or "
            "FSSPEC_S3_ANON=true for a public bucket"
        )
    return None


def _of_the_login(error: Exception, url: str, server: str) -> str | None:
    status, names = _last_response(error)[0], _names(error)
    behind = {name for found in _chain(error) for name in _names(found)}
    if "asyncssh.HostKeyNotVerifiable" in names:
        return f"the host key of {server} is not in ~/.ssh/known_hosts; connect once with ssh and verify it"
    if status == 401 or "asyncssh.PermissionDenied" in behind:
        return "the server rejects the login; check the user name and the password, key or token"
    if status == 403 or isinstance(error, PermissionError) or "asyncssh.SFTPPermissionDenied" in names:
        hint = " (some web servers also answer this for missing files)" if protocol_of(url) in HTTP else ""
        return f"access is denied{hint}; check the path, or ask its owner for access"
    return None


def _of_the_server(error: Exception, server: str) -> str | None:
    status, names, errnos = _last_response(error)[0], _names(error), _errnos(error)
    if _unknown_host(error):
        return f"the host name of {server} cannot be resolved; check the name and the network"
    if names & _OFFLINE:
        return "HF_HUB_OFFLINE is set, which forbids all requests; unset it and run the same command again"
    if errno.ECONNREFUSED in errnos:
        return f"{server} refuses the connection; check the address, and that the server is running"
    if names & _FULL or errnos & {errno.ENOSPC, errno.EDQUOT}:
        return "the disk of the server is full; free some space and run the same command again"
    if names & {"httpx.ConnectError", "httpx2.ConnectError"}:
        return "the service cannot be reached; check the network and run the same command again"
    if not may_pass(error):
        return None
    if status is not None:
        return f"the server keeps answering {status}; run the same command again later"
    if names & _LATE or isinstance(error, TimeoutError):
        return "the requests keep timing out; check the network and run the same command again"
    return "the connection keeps breaking off; check the network and run the same command again"


def _scrub(error: Exception, url: str) -> str:
    """The message of the server or library in one line, without the secrets of the URL."""
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    for found in _chain(error):
        if isinstance(response := getattr(found, "response", None), dict):
            message = "{Code}: {Message}".format_map({"Code": "", "Message": "", **response.get("Error", {})})
    text = " ".join(str(message).split())[:200]
    parts = urlsplit(url)
    for secret in (url, parts.netloc.rpartition("@")[0], parts.query, parts.password, parts.username):
        for form in (secret, unquote(secret)) if secret else ():
            text = text.replace(form, "***")
    return text


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _names(error: BaseException) -> set[str]:
    """``library.Class`` for the class of the error and all its base classes."""
    return {f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in type(error).__mro__}


def _errnos(error: Exception) -> set[int]:
    return {found.errno for found in _chain(error) if isinstance(found, OSError) and found.errno is not None}


def _unknown_host(error: Exception) -> bool:
    return any(
        isinstance(found, socket.gaierror) or isinstance(getattr(found, "os_error", None), socket.gaierror)
        for found in _chain(error)
    )


def _last_response(error: Exception) -> tuple[int | None, str]:
    """HTTP status and S3 error code of the last response behind the error."""
    for found in _chain(error):
        response = getattr(found, "response", None)
        if isinstance(response, dict):  # botocore
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status, str(response.get("Error", {}).get("Code", ""))
        status = getattr(found, "status", None) or getattr(response, "status_code", None)
        if isinstance(status, int):
            return status, ""
    return None, ""
