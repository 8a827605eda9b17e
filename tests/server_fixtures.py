"""Servers of every kind on loopback, started when a test first asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.proxy import Proxy, proxy_server
from tests.servers.s3 import new_bucket, point_s3_clients, s3_clients_at, s3_server
from tests.servers.sftp import Sftp, sftp_client_of, sftp_server
from tests.servers.web import Web, web_server


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """An S3 server for the whole test run, with no bucket of its own."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def s3_clients(s3_address: str) -> Iterator[str]:
    """Address of the S3 server which this process's S3 clients use until the module's tests end."""
    with s3_clients_at(s3_address):
        yield s3_address


@pytest.fixture
def s3_url(s3_clients: str) -> str:
    """A folder in a bucket of the test's own."""
    point_s3_clients(s3_clients)
    return f"s3://{new_bucket(s3_clients)}/stores/one"


@pytest.fixture(scope="module")
def s3_clients_of_proxy(s3_address: str) -> Iterator[Proxy]:
    """A proxy before the S3 server, which this process's S3 clients use until the module's tests end."""
    with proxy_server(s3_address) as proxy, s3_clients_at(proxy.url):
        yield proxy


@pytest.fixture
def s3_proxy(s3_clients_of_proxy: Proxy) -> Proxy:
    """The proxy, with no faults in store."""
    point_s3_clients(s3_clients_of_proxy.url)
    s3_clients_of_proxy.forget()
    return s3_clients_of_proxy


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A web server for ``tmp_path / "web"``."""
    (tmp_path / "web").mkdir()
    with web_server(tmp_path / "web") as server:
        yield server


@pytest.fixture(scope="session")
def sftp_address() -> Iterator[Sftp]:
    """An SFTP server for the whole test run."""
    with sftp_server() as server:
        yield server


@pytest.fixture
def sftp(sftp_address: Sftp, tmp_path: Path) -> Iterator[Sftp]:
    """The SFTP server, known to this process until the test ends."""
    with sftp_client_of(sftp_address, tmp_path / "home"):
        yield sftp_address
