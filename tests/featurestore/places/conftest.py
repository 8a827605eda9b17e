"""Places of every kind."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.places.remote import Remote
from featurestore.places.retry import Patience
from tests.servers.proxy import Proxy
from tests.servers.s3 import new_bucket

QUICK = Patience(attempts=5, first_s=0.01, longest_s=0.05)


@pytest.fixture
def s3_behind_proxy(s3_proxy: Proxy) -> Remote:
    """A place in a bucket of the test's own, behind :func:`s3_proxy`."""
    return Remote(f"s3://{new_bucket(s3_proxy.upstream)}/stores/one", QUICK)


@pytest.fixture(params=["folder", "memory", "s3", "sftp", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place that can be written, of each kind in turn."""
    match request.param:
        case "folder":
            return Folder(tmp_path / "store")
        case "memory":
            return Remote(f"memory://{uuid.uuid4().hex}/store", QUICK)
        case "s3":
            return Remote(request.getfixturevalue("s3_url"), QUICK)
        case "sftp":
            return Remote(request.getfixturevalue("sftp").url(tmp_path / "store"), QUICK)
        case _:
            return Remote(f"file://{tmp_path}/store", QUICK)
