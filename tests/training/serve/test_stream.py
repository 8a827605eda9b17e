"""A sound over a WebSocket has the rows of ``ser-predict --window`` for a file of it."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.training.serve.conftest import Asked, Serve, predicted, same_rows
from training.serve.limits import ServiceLimits
from training.serve.refusal import RefusedError
from training.serve.stream import Encoding, Pcm
from training.serve.tokens import Tokens


def stream(served: Asked, query: str, **options: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{served.port}/v1/stream?{query}", proxy=None, **options)


def rows(connection: ClientConnection) -> list[dict[str, Any]]:
    """All messages up to the end of the connection."""
    found = []
    try:
        while True:
            found.append(json.loads(connection.recv(60)))
    except ConnectionClosed:
        return found


@pytest.mark.parametrize(("encoding", "subtype"), [("s16le", "PCM_16"), ("f32le", "FLOAT")])
@pytest.mark.parametrize("piece", [777, 30_000])
def test_rows_are_those_of_a_file(
    served: Asked, run: Path, clips: list[Path], tmp_path: Path, encoding: str, subtype: str, piece: int
) -> None:
    samples, rate = soundfile.read(clips[5], dtype="float32")
    sound = np.concatenate([samples, np.zeros(rate, np.float32), samples[: rate // 3]])
    path = tmp_path / "sound.wav"
    soundfile.write(path, sound, rate, subtype=subtype)
    expected = predicted(run, path, "--window", 0.5, "--step", 0.2)["clips"][0]["predictions"]
    raw = soundfile.read(path, dtype="int16" if encoding == "s16le" else "float32")[0].tobytes()
    with stream(served, f"rate={rate}&encoding={encoding}&window=0.5&step=0.2") as connection:
        for start in range(0, len(raw), piece):
            connection.send(raw[start : start + piece])
        connection.send("end")
        *found, last = rows(connection)
    same_rows(found, expected)
    assert any(row["emotion"] is None for row in found)  # silence is shown as silence
    assert last == {"end": True, "seconds": len(sound) / rate, "rows": len(expected)}
    assert connection.close_code == 1000


def test_a_row_comes_as_soon_as_its_window_is_complete(served: Asked, clips: list[Path]) -> None:
    samples, rate = soundfile.read(clips[5], dtype="int16")
    with stream(served, f"rate={rate}&step=0.5") as connection:
        connection.send(samples[: round(0.55 * rate)].tobytes())
        assert json.loads(connection.recv(60))["stop_s"] == 0.5
        connection.send(samples[round(0.55 * rate) : round(1.05 * rate)].tobytes())
        assert json.loads(connection.recv(60))["stop_s"] == 1.0


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("encoding=s16le", "rate: field required"),
        ("rate=x", "rate: input should be a valid integer"),
        ("rate=3000", "rate=3000 is out of range"),
        ("rate=16000&encoding=mp3", "encoding=mp3 is not known; give s16le or f32le"),
        ("rate=16000&window=9", "windows of 9 s: the model hears 0.1 to 0.5 s"),
    ],
)
def test_a_stream_that_is_not_possible_is_refused_with_a_sentence(
    served: Asked, query: str, sentence: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        stream(served, query)
    assert refused.value.response.status_code == 422
    assert json.loads(refused.value.response.body)["detail"].startswith(sentence)


@pytest.mark.parametrize(
    ("query", "messages", "sentence"),
    [
        ("encoding=f32le", [np.float32([0, np.nan]).tobytes()], "a sample is not finite"),
        ("encoding=f32le", [np.float32([0, 1e6]).tobytes()], "a sample is not finite, or beyond ±100"),
        ("encoding=s16le", [b"abc", "end"], "the sound ends within a sample"),
        ("encoding=s16le", ["stop"], "send PCM as binary messages, and at the end the text end"),
        ("encoding=s16le", [bytes(900_000)] * 2, "longer than 30 s"),
    ],
)
def test_what_is_no_sound_ends_the_stream_with_a_sentence(
    served: Asked, query: str, messages: list[bytes | str], sentence: str
) -> None:
    with stream(served, f"rate=16000&step=10&{query}") as connection:
        for message in messages:
            connection.send(message)
        last = rows(connection)[-1]
    assert last["detail"].startswith(sentence)
    assert connection.close_code == 1008


def test_a_client_that_leaves_frees_its_place(serve: Serve, clips: list[Path]) -> None:
    served = serve(Tokens((b"0123456789abcdef",)), limits=ServiceLimits(max_streams=1))
    header = {"additional_headers": {"Authorization": "Bearer 0123456789abcdef"}}
    samples, rate = soundfile.read(clips[5], dtype="int16")
    for _ in range(3):
        with stream(served, f"rate={rate}", **header) as connection:
            connection.send(samples.tobytes())
            assert json.loads(connection.recv(60))["emotion"]
            with pytest.raises(InvalidStatus) as full:
                stream(served, f"rate={rate}", **header)
            assert full.value.response.status_code == 503
            assert full.value.response.headers["Retry-After"] == "5"
            connection.socket.close()
        with served.client(headers=header["additional_headers"]) as client:
            while "ser_streams_open 0.0" not in client.get("/metrics").text:
                time.sleep(0.02)
    with pytest.raises(InvalidStatus) as refused:
        stream(served, f"rate={rate}")
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as refused:
        stream(served, f"rate={rate}", origin="http://elsewhere.example", **header)
    assert refused.value.response.status_code == 403


@given(
    samples=st.lists(st.integers(-(2**15), 2**15 - 1), max_size=40),
    cuts=st.lists(st.integers(0, 160), max_size=6),
    encoding=st.sampled_from(["s16le", "f32le"]),
)
def test_samples_do_not_depend_on_how_messages_are_cut(
    samples: list[int], cuts: list[int], encoding: Encoding
) -> None:
    exact = np.array(samples, np.int16)
    floats = (exact / 32768).astype(np.float32)
    data = (exact.astype("<i2") if encoding == "s16le" else floats.astype("<f4")).tobytes()
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pcm = Pcm(encoding)
    found = [pcm.add(data[start:stop]) for start, stop in pairwise(ends)]
    pcm.end()
    assert np.concatenate(found).tobytes() == floats.tobytes()
    pcm.add(b"x")
    with pytest.raises(RefusedError, match="within a sample"):
        pcm.end()
