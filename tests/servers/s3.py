"""S3 on loopback: Moto's, behind a real HTTP server, and its clients."""

from __future__ import annotations

import contextlib
import http.client
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Environment for :func:`s3_server`, beside ``AWS_ENDPOINT_URL``."""


@contextmanager
def s3_server() -> Iterator[str]:
    """Moto's S3 behind a real HTTP server. Gives its address; see :data:`AWS`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def s3_clients_at(address: str) -> Iterator[None]:
    """Let this process, and those that it starts, find S3 at ``address``, with the keys of :data:`AWS`."""
    from s3fs import S3FileSystem

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
            patch.delenv(name)
        for name, value in {**AWS, "AWS_ENDPOINT_URL": address}.items():
            patch.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        yield
        S3FileSystem.clear_instance_cache()


def point_s3_clients(address: str) -> None:
    """Let clients within :func:`s3_clients_at` find S3 at ``address``, also if another one was set later."""
    from s3fs import S3FileSystem

    if os.environ["AWS_ENDPOINT_URL"] != address:
        S3FileSystem.clear_instance_cache()
        os.environ["AWS_ENDPOINT_URL"] = address


def new_bucket(address: str) -> str:
    """Make a bucket at an S3 server of ours, which asks for no signature. Returns its name."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status == 200
    return name
