"""Transfers that are killed, interrupted or spoilt by the network, and damaged objects on either side."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from featurestore.format.layout import LATEST, STORE_JSON
from featurestore.places.folder import Folder
from featurestore.read.fetch import fetch
from featurestore.sharing.pull import pull
from featurestore.sharing.push import push
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import SerError, StoppedError, StorageError, StoreDamagedError, StoreNotFoundError
from tests.featurestore.sharing.conftest import digest_of, files_of
from tests.servers.proxy import Proxy
from tests.servers.s3 import new_bucket
from tests.servers.web import Web, web_server

SHARD = "demo/mel/c/0/1/0/0"


@pytest.mark.parametrize("fault", ["503", "SlowDown", "reset"])
def test_a_push_survives_a_bad_network(fault: str, s3_proxy: Proxy, tiny_store: Path, tmp_path: Path) -> None:
    url = f"s3://{new_bucket(s3_proxy.upstream)}/shared"
    drawn = random.Random(3)
    s3_proxy.faults.extend(fault if drawn.random() < 0.15 else None for _ in range(400))
    push(tiny_store, url)
    s3_proxy.forget()
    s3_proxy.faults.extend(drawn.choice(["cut", fault]) if drawn.random() < 0.2 else None for _ in range(400))
    pull(url, tmp_path / "copy.zarr")
    s3_proxy.forget()
    assert files_of(tmp_path / "copy.zarr") == files_of(tiny_store)


def test_a_server_that_dies_and_comes_back(s3_proxy: Proxy, tiny_store: Path, tmp_path: Path) -> None:
    """Nothing is visible of what was begun, and it is gone on with."""
    url = f"s3://{new_bucket(s3_proxy.upstream)}/shared"
    s3_proxy.faults.extend([None] * 30 + ["403"] * 400)
    with pytest.raises(StorageError, match="access is denied"):
        push(tiny_store, url)
    s3_proxy.forget()
    with pytest.raises(StoreNotFoundError):
        FeatureStore.open(url)
    report = push(tiny_store, url)
    assert report.bytes_there > 0
    s3_proxy.faults.extend([None] * 20 + ["403"] * 400)
    with pytest.raises(StorageError, match="access is denied"):
        pull(url, tmp_path / "copy.zarr")
    s3_proxy.forget()
    assert pull(url, tmp_path / "copy.zarr").bytes_kept > 0
    assert files_of(tmp_path / "copy.zarr") == files_of(tiny_store)


@pytest.mark.parametrize("name", [SHARD, "manifest.parquet", "records/demo/00002.json"])
def test_a_damaged_store_is_not_published(name: str, url: str, own_store: Path, grown_store: Path) -> None:
    data = bytearray((own_store / name).read_bytes())
    data[-1] ^= 4
    (own_store / name).write_bytes(data)
    push(grown_store, url)
    other = f"{url}/other" if "://" in url else f"{url}-other"
    with pytest.raises(StoreDamagedError, match=f"{name} in .* so nothing was published"):
        push(own_store, other)
    with pytest.raises(StoreNotFoundError):
        FeatureStore.open(other)
    assert digest_of(url) == digest_of(grown_store)


def test_a_lost_object_is_told_before_anything_is_sent(own_store: Path, tmp_path: Path) -> None:
    (own_store / SHARD).unlink()
    with pytest.raises(StoreDamagedError, match=f"{SHARD} in .* is missing, so nothing was published"):
        push(own_store, tmp_path / "shared")
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "lost"])
def test_a_damaged_object_at_the_source_is_named_and_never_taken(
    damage: str, web: Web, tiny_store: Path, tmp_path: Path
) -> None:
    push(tiny_store, web.root)
    shard = next(web.root.glob(f"versions/*/{SHARD}"))
    data = shard.read_bytes()
    match damage:
        case "flip":
            shard.write_bytes(data[:9] + bytes([data[9] ^ 1]) + data[10:])
        case "cut":
            shard.write_bytes(data[:-1])
        case "longer":
            shard.write_bytes(data + b"\0" * 5_000_000)
        case _:
            shard.unlink()
    out = tmp_path / "copy.zarr"
    with pytest.raises(StoreDamagedError, match=SHARD) as caught:
        pull(web.url, out)
    assert "\n" not in str(caught.value)
    assert not (out / STORE_JSON).exists()
    assert not (out / SHARD).exists()
    shard.write_bytes(data)
    pull(web.url, out)
    assert files_of(out) == files_of(tiny_store)


def test_a_cut_object_is_gone_on_with_where_it_ended(web: Web, tiny_store: Path, tmp_path: Path) -> None:
    push(tiny_store, web.root)
    out, half = tmp_path / "copy.zarr", (tiny_store / SHARD).read_bytes()
    (out / SHARD).parent.mkdir(parents=True)
    (out / ".pull.partial").write_text("[]")
    (out / f"{SHARD}.partial").write_bytes(half[: len(half) // 2])
    pull(web.url, out)
    asked = [wanted for _, path, wanted in web.requests if path.endswith(SHARD)]
    assert asked == [f"bytes={len(half) // 2}-"]
    assert files_of(out) == files_of(tiny_store)


def test_ctrl_c_says_how_to_go_on(tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = fetch, []

    def pressed(*arguments: object) -> int:
        calls.append(arguments)
        if len(calls) == 6:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("featurestore.sharing.bring.fetch", pressed)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(StoppedError, match="is kept: run the same command again"):
            pull(tiny_store, tmp_path / "copy.zarr")
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(calls) < len(FeatureStore.open(tiny_store).document.objects)
    monkeypatch.undo()
    assert pull(tiny_store, tmp_path / "copy.zarr").bytes_kept > 0


KILLED = """
import os, signal, threading, time
from featurestore.sharing.{verb} import {verb}
def kill():
    time.sleep({moment})
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
{slow}
{verb}({source!r}, {target!r})
"""

SLOW = """
import featurestore.sharing.{module} as module
original = module.fetch
module.fetch = lambda *arguments: (time.sleep(0.2), original(*arguments))[1]
"""


def _killed(verb: str, source: object, target: object, moment: float) -> int:
    slow = SLOW.format(module={"push": "sending", "pull": "bring", "unpack": "bring"}[verb])
    code = KILLED.format(verb=verb, moment=moment, slow=slow, source=str(source), target=str(target))
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def _spread(count: int) -> list[float]:
    generator = random.Random(7)
    return [generator.uniform(0.0, 0.3) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["push", "pull", "unpack"])
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(
    verb: str, tiny_store: Path, tmp_path: Path
) -> None:
    from featurestore.sharing.pack import pack

    source, out = tiny_store, tmp_path / "out"
    if verb == "unpack":
        source = tmp_path / "tiny.tar"
        pack(tiny_store, source)
    codes = [_killed(verb, source, out, moment) for moment in _spread(5)]
    assert codes.count(-9) >= 2
    if verb == "push":
        push(source, out)
        assert verify(out, full=True).digest == digest_of(tiny_store)
        assert {name.split("/")[0] for name in files_of(out)} == {LATEST, "versions"}
        pull(out, tmp_path / "copy.zarr")
        assert files_of(tmp_path / "copy.zarr") == files_of(tiny_store)
        left = [name for name in files_of(out) if ".partial" in name]
        assert not left
        return
    if verb == "pull":
        pull(source, out)
    else:
        from featurestore.sharing.unpack import unpack

        unpack(source, out)
    assert files_of(out) == files_of(tiny_store)


@pytest.mark.slow
def test_a_push_to_s3_that_is_killed_is_gone_on_with(
    s3_proxy: Proxy, tiny_store: Path, grown_store: Path, tmp_path: Path
) -> None:
    """Over an older version, which readers get until the new one is whole."""
    url = f"s3://{new_bucket(s3_proxy.upstream)}/shared"
    push(tiny_store, url)
    codes = []
    for moment in (0.15, 0.3, 0.5):
        slow = "from featurestore.places.remote import Remote\noriginal = Remote.write\n"
        slow += "Remote.write = lambda *arguments: (time.sleep(0.2), original(*arguments))[1]"
        code = KILLED.format(verb="push", moment=moment, slow=slow, source=str(grown_store), target=url)
        codes.append(subprocess.run([sys.executable, "-c", code], check=False).returncode)
        if codes[-1]:
            assert digest_of(url) == digest_of(tiny_store)
    assert -9 in codes
    push(grown_store, url)
    assert verify(url, full=True).digest == digest_of(grown_store)
    pull(url, tmp_path / "copy.zarr")
    assert files_of(tmp_path / "copy.zarr") == files_of(grown_store)


@pytest.mark.slow
def test_a_web_server_that_is_restarted_in_the_middle(tiny_store: Path, tmp_path: Path) -> None:
    """It is down for longer than the places' patience; the pull fails in a sentence and goes on later."""
    push(tiny_store, tmp_path / "web")
    out = tmp_path / "copy.zarr"
    with web_server(tmp_path / "web") as server:
        url, stop = server.url, threading.Event()

        def die(handler: object) -> None:
            stop.set()
            handler.reset()  # type: ignore[attr-defined]

        for path in (tmp_path / "web").glob(f"versions/*/{SHARD}"):
            server.special["/" + path.relative_to(tmp_path / "web").as_posix()] = die
        with pytest.raises(SerError, match=r"keeps? (answering|breaking off|timing out)"):
            pull(url, out)
        assert stop.is_set()
        server.special.clear()
        assert pull(url, out).bytes_kept > 0
    assert files_of(out) == files_of(tiny_store)
    assert Folder(out).size(SHARD)
