"""The Hugging Face Hub, as far as that goes without one."""

from collections.abc import Iterator
from typing import Any

import pytest

from featurestore.places.remote import Remote
from schemas.errors import StorageError
from tests.featurestore.places.conftest import QUICK
from tests.servers.serving import free_port
from tests.servers.web import Web

hub = pytest.importorskip("huggingface_hub")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets the hub be looked for at another address."""
    import fsspec.config

    def at(address: str) -> None:
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": address, "token": False})
        hub.HfFileSystem.clear_instance_cache()

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # read once, when it is imported
    yield at
    hub.HfFileSystem.clear_instance_cache()


def test_a_hub_that_cannot_be_reached_is_a_sentence(endpoint: Any) -> None:
    endpoint(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        StorageError, match=r"cannot read hf://datasets/anna/store/store\.json: the service cannot be reached"
    ):
        Remote("hf://datasets/anna/store", QUICK).read("store.json", 10)


def test_a_hub_that_the_user_has_switched_off_is_not_asked(
    endpoint: Any, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint(web.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(StorageError, match=r"store\.json: HF_HUB_OFFLINE is set, .*; unset it"):
        Remote("hf://datasets/anna/store", QUICK).read("store.json", 10)
    assert web.requests == []


def test_a_repository_that_asks_for_a_token_is_a_sentence(endpoint: Any, web: Web) -> None:
    endpoint(web.url)

    def refuse(handler: Any) -> None:
        handler.send_response(401)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.special = _Everywhere(refuse)
    with pytest.raises(OSError, match=r"rejects the login") as caught:
        Remote("hf://datasets/anna/store", QUICK).read("store.json", 10)
    assert "Traceback" not in str(caught.value)


@pytest.mark.skip(
    reason="there is no hub that runs on loopback: reading and writing one need its real service"
)
def test_a_store_on_the_hub_is_read_and_written() -> None:
    raise NotImplementedError


class _Everywhere(dict[str, Any]):
    """The same answer for every path."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self._answer = answer

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: str) -> Any:
        return self._answer
