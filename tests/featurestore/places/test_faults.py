"""Servers that fail: a given number of faults is survived, and one more is one sentence."""

import gc
import random
import re
from pathlib import Path

import pytest

from featurestore.places.place import BLOCK_BYTES
from featurestore.places.remote import Remote
from schemas.errors import StorageError
from tests.featurestore.places.conftest import QUICK
from tests.servers.proxy import Proxy, proxy_server
from tests.servers.sftp import Sftp
from tests.servers.web import Web

NAME = "ravdess/mel/c/0/0/0/0"
DATA = random.Random(1).randbytes(1_000_000)
FAULTS = ["500", "502", "503", "429", "SlowDown", "reset"]
SURVIVED = QUICK.attempts - 1
TOO_MANY = dict.fromkeys([*FAULTS, "cut"], QUICK.attempts) | {"reset": 2 * QUICK.attempts}
"""aiohttp itself tries once more where a kept connection was reset: the server may have closed it before."""


def _one_sentence(error: BaseException) -> str:
    assert isinstance(error, StorageError)
    assert error.__suppress_context__
    text = str(error)
    assert len(text) < 300
    assert not re.search(r"Traceback|\n|aio|boto|Error\(", text)
    return text


@pytest.mark.parametrize("fault", [*FAULTS, "cut"])
def test_s3_reading_survives(fault: str, s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    s3_behind_proxy.write(NAME, DATA)
    s3_proxy.faults.extend([fault] * SURVIVED)
    assert s3_behind_proxy.read(NAME, len(DATA)) == DATA
    assert not s3_proxy.faults
    s3_proxy.faults.extend([fault] * TOO_MANY[fault])
    with pytest.raises(OSError, match=r"keeps? (answering|breaking off|timing out)") as caught:
        s3_behind_proxy.read(NAME, len(DATA))
    _one_sentence(caught.value)


@pytest.mark.parametrize("fault", ["500", "SlowDown", "reset"])
def test_s3_writing_survives(fault: str, s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    s3_proxy.faults.extend([fault] * SURVIVED)
    s3_behind_proxy.write(NAME, DATA)
    assert s3_behind_proxy.read(NAME, len(DATA)) == DATA
    s3_proxy.faults.extend([fault] * TOO_MANY[fault])
    with pytest.raises(OSError, match=r"keeps? (answering|breaking off|timing out)") as caught:
        s3_behind_proxy.write("other", DATA)
    _one_sentence(caught.value)
    assert s3_behind_proxy.size("other") is None


@pytest.mark.parametrize("fault", ["503", "429", "reset"])
def test_s3_listing_copying_and_deleting_survive(
    fault: str, s3_behind_proxy: Remote, s3_proxy: Proxy
) -> None:
    s3_behind_proxy.write(NAME, DATA)
    s3_proxy.faults.extend([fault] * SURVIVED)
    assert s3_behind_proxy.sizes() == {NAME: len(DATA)}
    s3_proxy.faults.extend([fault] * SURVIVED)
    assert s3_behind_proxy.size(NAME) == len(DATA)
    s3_proxy.faults.extend([fault] * SURVIVED)
    assert s3_behind_proxy.copy(NAME, "copy")
    s3_proxy.faults.extend([fault] * SURVIVED)
    s3_behind_proxy.delete([NAME])
    assert not s3_proxy.faults
    assert s3_behind_proxy.sizes() == {"copy": len(DATA)}


@pytest.mark.parametrize("fault", ["503", "SlowDown", "cut", "reset"])
def test_retries_do_not_multiply(fault: str, s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    s3_behind_proxy.write(NAME, DATA)
    before = len(s3_proxy.requests)
    s3_proxy.faults.extend([fault] * 100)
    with pytest.raises(OSError, match=r"keeps? (answering|breaking off|timing out)"):
        s3_behind_proxy.read(NAME, len(DATA))
    assert len(s3_proxy.requests) - before == TOO_MANY[fault]


def test_a_body_that_is_cut_off_is_read_on_from_where_it_ended(
    s3_behind_proxy: Remote, s3_proxy: Proxy
) -> None:
    data = DATA * 12
    s3_behind_proxy.write(NAME, data)
    s3_proxy.faults.extend(["cut"] * (QUICK.attempts + 2))  # each lets half of the rest through
    assert b"".join(s3_behind_proxy.blocks(NAME, 7)) == data[7:]
    assert not s3_proxy.faults


def test_faults_at_random_are_survived(s3_behind_proxy: Remote, s3_proxy: Proxy) -> None:
    draw = random.Random(7)
    for number in range(30):
        data = DATA[: 10_000 * number]
        s3_proxy.faults.extend(draw.choice(["500", "503", "reset", None, None]) for _ in range(3))
        s3_behind_proxy.write(f"part/{number}", data)
        s3_proxy.faults.extend(draw.choice(["429", "cut", "reset", None, None]) for _ in range(3))
        assert s3_behind_proxy.read(f"part/{number}", len(data)) == data
    assert len(s3_behind_proxy.sizes("part")) == 30


@pytest.mark.parametrize("fault", ["403", "404", "400", "501"])
def test_an_answer_that_will_not_change_is_not_asked_for_again(
    fault: str, s3_behind_proxy: Remote, s3_proxy: Proxy
) -> None:
    s3_behind_proxy.write(NAME, DATA)
    before = len(s3_proxy.requests)
    s3_proxy.faults.extend([fault] * 9)
    with pytest.raises(OSError, match=re.escape(NAME)):
        s3_behind_proxy.read(NAME, len(DATA))
    assert len(s3_proxy.requests) - before == 1


@pytest.mark.parametrize("fault", ["500", "503", "429", "reset", "cut"])
@pytest.mark.parametrize("ranges", [True, False])
def test_web_reading_survives(fault: str, ranges: bool, web: Web) -> None:
    web.ranges = ranges
    (web.root / "object").write_bytes(DATA)
    with proxy_server(web.url) as proxy:
        place = Remote(proxy.url, QUICK)
        proxy.faults.extend([fault] * SURVIVED)
        assert place.read("object", len(DATA)) == DATA
        proxy.faults.extend([fault] * SURVIVED)
        assert b"".join(place.blocks("object", 1000)) == DATA[1000:]
        assert not proxy.faults
        proxy.faults.extend([fault] * TOO_MANY[fault])
        with pytest.raises(OSError, match=r"keeps? (answering|breaking off|timing out)") as caught:
            place.read("object", len(DATA))
        _one_sentence(caught.value)


@pytest.mark.parametrize("fault", ["503", "reset"])
def test_reading_by_blocks_gives_up_as_well(fault: str, web: Web) -> None:
    (web.root / "object").write_bytes(DATA)
    with proxy_server(web.url) as proxy:
        proxy.faults.extend([fault] * TOO_MANY[fault])
        with pytest.raises(OSError, match=r"keeps? (answering|breaking off|timing out)") as caught:
            list(Remote(proxy.url, QUICK).blocks("object"))
        _one_sentence(caught.value)


@pytest.mark.parametrize("fault", ["500", "503", "429", "reset"])
def test_a_web_server_in_trouble_does_not_pass_for_an_empty_one(fault: str, web: Web) -> None:
    (web.root / "object").write_bytes(DATA)
    with proxy_server(web.url) as proxy:
        place = Remote(proxy.url, QUICK)
        proxy.faults.extend([fault] * SURVIVED)
        assert place.size("object") == len(DATA)
        proxy.faults.extend([fault] * TOO_MANY[fault])
        with pytest.raises(OSError, match=r"keeps? (answering|breaking off|timing out)"):
            place.size("object")


def test_a_server_that_falls_silent_is_asked_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featurestore.places.streams.READ_S", 0.2)
    (web.root / "object").write_bytes(DATA)
    with proxy_server(web.url) as proxy:
        proxy.faults.extend(["stall", "stall"])
        assert Remote(proxy.url, QUICK).read("object", len(DATA)) == DATA
        proxy.faults.extend(["stall"] * QUICK.attempts)
        with pytest.raises(OSError, match="keep timing out") as caught:
            Remote(proxy.url, QUICK).read("object", len(DATA))
        _one_sentence(caught.value)


def test_sftp_survives_a_server_that_drops_its_sessions(sftp: Sftp, tmp_path: Path) -> None:
    place = Remote(sftp.url(tmp_path / "store"), QUICK)
    place.write(NAME, DATA)
    for _ in range(3):
        sftp.drop_connections()
        assert place.read(NAME, len(DATA)) == DATA
        sftp.drop_connections()
        place.write(NAME, DATA)
        sftp.drop_connections()
        assert place.sizes() == {NAME: len(DATA)}
        sftp.drop_connections()
        assert place.size(NAME) == len(DATA)


def test_sftp_reading_goes_on_where_the_session_ended_and_logs_no_traceback(
    sftp: Sftp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = DATA * (3 * BLOCK_BYTES // len(DATA))
    place = Remote(sftp.url(tmp_path / "store"), QUICK)
    place.write(NAME, data)
    blocks = place.blocks(NAME)
    got = next(blocks)
    sftp.drop_connections()
    assert got + b"".join(blocks) == data
    gc.collect()  # asyncio logs what nobody asked for when it is collected
    assert "never retrieved" not in caplog.text
