"""Which pages may send requests: those of the server itself, at the address that the browser shows."""

from __future__ import annotations

import pytest

from training.http.origin import OwnAddress

PUBLIC = "https://lab.example/voices"


@pytest.mark.parametrize(
    ("listens_on", "public_url", "host", "origin"),
    [
        ("127.0.0.1", None, "127.0.0.1:8765", ""),
        ("127.0.0.1", None, "localhost:8765", "http://localhost:8765"),
        ("::1", None, "[::1]:8765", "http://[::1]:8765"),
        ("127.0.0.1", PUBLIC, "lab.example", "https://lab.example"),
        ("127.0.0.1", PUBLIC, "lab.example:443", "https://LAB.example"),
        ("127.0.0.1", PUBLIC, "127.0.0.1:8765", "https://lab.example"),  # a proxy that rewrites Host
        ("0.0.0.0", PUBLIC, "10.0.0.7:8765", "https://lab.example"),
        ("0.0.0.0", None, "any.example:8765", "http://any.example:8765"),
        ("0.0.0.0", "https://lab.example:8443", "10.0.0.7", "https://lab.example:8443"),
    ],
)
def test_its_own_pages_may_ask(listens_on: str, public_url: str | None, host: str, origin: str) -> None:
    own = OwnAddress.of(listens_on, public_url)
    assert own.has_name(host)
    assert own.has_page(origin, host)


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://",
        "http://127.0.0.1:3000",  # another server of this machine
        "http://127.0.0.1",
        "http://localhost:8765",
        "https://lab.example:8443",
        "https://lab.example.elsewhere.example",
        "file://127.0.0.1:8765",
    ],
)
def test_other_pages_may_not_ask(listens_on: str, origin: str) -> None:
    own = OwnAddress.of(listens_on, PUBLIC)
    assert not own.has_page(origin, "127.0.0.1:8765")
    assert not own.has_page(origin, "")


def test_a_server_of_this_machine_has_no_other_names() -> None:
    own = OwnAddress.of("127.0.0.1", PUBLIC)
    assert not own.has_name("rebound.example:8765")
    assert not own.has_name("")
    assert OwnAddress.of("0.0.0.0", None).has_name("any.example")
