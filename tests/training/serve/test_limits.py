"""What clients may not do: too large, too long, too many, too often, without a token, from other pages."""

from __future__ import annotations

import io
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from schemas.errors import UsageError
from tests import commands
from tests.pipelines.speech import without_length
from tests.training.serve.conftest import Asked, Serve, raw
from training.predict.ensemble import Ensemble
from training.runs.elsewhere import local_run
from training.serve.documents import Documents
from training.serve.intake import Intake
from training.serve.limits import ServiceLimits
from training.serve.rates import Rates
from training.serve.refusal import RefusedError
from training.serve.tokens import Tokens
from training.sharing.push_run import push_run

TOKEN = "0123456789abcdef"


def test_a_request_that_announces_too_much_is_refused_before_it_is_sent(served: Asked) -> None:
    head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
    answer = raw(served.port, f"{head}Content-Length: 2000000\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"this service accepts at most 1 MB" in answer
    form = f"{head}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n"
    assert b"at most 1 MB per file and 4 files" in raw(served.port, form.encode())
    # The rest of the head is on its way when the server closes, which may discard the answer.
    with suppress(ConnectionError):
        assert raw(served.port, f"{head}X: ".encode() + b"x" * 100_000).startswith(b"HTTP/1.1 400")
    with served.client() as client:
        assert client.get("/healthz").status_code == 200


def test_a_body_that_grows_too_large_is_refused(served: Asked) -> None:
    def parts() -> object:
        for _ in range(40):
            yield bytes(50_000)

    with served.client() as client:
        reply = client.post("/v1/predict", content=parts())
        assert reply.status_code == 413
        files = [("files", (f"{n}.wav", b"x")) for n in range(5)]
        reply = client.post("/v1/predict", files=files)
        assert (reply.status_code, reply.json()) == (413, {"detail": "send at most 4 recordings at a time"})
        reply = client.post("/v1/predict", content=b"x", headers={"content-type": "multipart/form-data"})
        assert reply.status_code == 400
        assert client.post("/v1/predict").json()["detail"].startswith("the request is empty")


@pytest.mark.parametrize("announces", [True, False])
def test_a_small_file_that_expands_is_refused_without_decoding_all_of_it(
    served: Asked, *, announces: bool
) -> None:
    content = io.BytesIO()
    soundfile.write(content, np.zeros(8000 * 1800, np.int16), 8000, format="FLAC")
    sent = content.getvalue() if announces else without_length(content.getvalue())
    with served.client() as client:
        reply = client.post("/v1/predict", content=sent)
    assert reply.status_code == 422
    assert reply.json()["detail"].startswith("-: 1800 s" if announces else "-: more than 20 s long")
    assert "but this service accepts at most 20 s; send a part of it" in reply.json()["detail"]


def test_requests_beyond_the_rate_wait_for_their_turn(serve: Serve) -> None:
    served = serve(Tokens((TOKEN.encode(), b"another-token-here")), limits=ServiceLimits(rate=2))
    with served.client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        codes = [client.get("/v1/model").status_code for _ in range(3)]
        reply = client.get("/v1/model")
        assert codes == [200, 200, 429]
        assert 1 <= int(reply.headers["retry-after"]) <= 30
        assert reply.json()["detail"].startswith("too many requests; try again in")
        other = client.get("/v1/model", headers={"Authorization": "Bearer another-token-here"})
        assert other.status_code == 200  # each token has a rate of its own
        assert client.get("/metrics").status_code == 200


def test_rates_refill_with_time_and_forget_the_oldest_clients() -> None:
    now = 100.0
    rates = Rates(60, clock=lambda: now)
    assert [rates.take("a") for _ in range(60)] == [0.0] * 60
    assert rates.take("a") == pytest.approx(1.0)
    assert rates.take("b") == 0.0
    now += 0.5
    assert rates.take("a") == pytest.approx(0.5)
    now += 0.5
    assert rates.take("a") == 0.0
    for number in range(10_001):
        rates.take(str(number))
    assert len(rates._left) == 10_000


def test_no_more_requests_than_allowed_are_answered_at_the_same_time() -> None:
    intake = Intake(ServiceLimits(max_mb=1, max_files=1, max_requests=1))
    with intake.slot():
        for context in (intake.slot, intake.room):
            with pytest.raises(RefusedError, match="too many requests") as refused, context():
                pass
            assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
    with intake.room() as room:
        room.take(16 * 2**20)
        with pytest.raises(RefusedError, match="too many recordings are being received"):
            room.take(1)
    with intake.room() as room:  # what was taken is free again
        room.take(16 * 2**20)


def test_a_token_is_needed_and_wrong_ones_are_refused(serve: Serve) -> None:
    served = serve(Tokens((TOKEN.encode(),)))
    with served.client() as client:
        for path in ("/v1/model", "/metrics", "/v1/nothing"):
            for wrong in ({}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}):
                reply = client.get(path, headers=wrong)
                assert reply.status_code == 401, (path, wrong)
                assert reply.headers["www-authenticate"] == "Bearer"
            assert client.get(path, headers={"Authorization": f"bearer {TOKEN}"}).status_code != 401
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/docs").status_code == 200


def test_other_pages_in_a_browser_may_not_ask(served: Asked) -> None:
    with served.client() as client:
        for headers in (
            {"Host": "rebound.example"},
            {"Origin": "http://elsewhere.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:3000"},  # another server of this machine
        ):
            assert client.get("/v1/model", headers=headers).status_code == 403, headers
        assert client.get("/v1/model", headers={"Origin": served.url}).status_code == 200


def test_tokens_come_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# for the lab\n{TOKEN}\n\nfedcba9876543210\n")
    assert Tokens.find(file, {}).values == (TOKEN.encode(), b"fedcba9876543210")
    assert Tokens.find(None, {"SER_SERVE_TOKEN": TOKEN}).values == (TOKEN.encode(),)
    assert Tokens.find(None, {}).values == ()
    for content, sentence in (
        (b"\n# none\n", "has no token"),
        (b"short\n", "token 1 of .* is not usable"),
        (f"{TOKEN}\ntwo words are here\n".encode(), "token 2 of .* is not usable"),
        (b"\xff\xfe" * 20, "is not a text file"),
    ):
        file.write_bytes(content)
        with pytest.raises(UsageError, match=sentence):
            Tokens.find(file, {})
    for missing, environment, sentence in (
        (tmp_path / "gone", {}, "cannot read --token-file"),
        (tmp_path, {}, "it is a folder, not a file"),
        (file, {"SER_SERVE_TOKEN": TOKEN}, "both give tokens"),
        (None, {"SER_SERVE_TOKEN": ""}, r"\$SER_SERVE_TOKEN has no token"),
    ):
        with pytest.raises(UsageError, match=sentence):
            Tokens.find(missing, environment)


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (("--host", "0.0.0.0"), 2, "is open to other machines, and there is no token; give --token-file"),
        (("--no-token", "--token-file", "{tokens}"), 2, "contradict each other"),
        (("--public-url", "ser.example"), 2, "give the full address"),
        (("--host", "192.0.2.1", "--token-file", "{tokens}"), 2, "give --host an address of this machine"),
        (("--port", "0", "--with", "{run}"), 2, "is given twice"),
        (("--rate", "0"), 2, "--rate"),
        (("--batch-ms", "-1"), 2, "--batch-ms"),
    ],
)
def test_mistakes_are_one_sentence(
    run: Path, tmp_path: Path, options: tuple[str, ...], status: int, sentence: str
) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    given = [option.format(tokens=tmp_path / "tokens", run=run) for option in options]
    before = threading.active_count()
    done = commands.run("ser-serve", run, *given, status=status)
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
    assert threading.active_count() == before


def test_a_published_run_is_served_under_its_name(run: Path, tmp_path: Path) -> None:
    place = push_run(run, tmp_path / "lab").url
    done = commands.run("ser-serve", place, "--with", place, "--port", "0", status=2)
    assert "is given twice" in " ".join(done.stderr.split())
    folder = local_run(place)
    documents = Documents([folder], Ensemble.open([folder], "cpu"), ServiceLimits())
    assert documents.model()["runs"][0]["tested"]["run"] == run.name


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    done = commands.run("ser-serve", tmp_path, "--port", "0", status=1)
    assert "is not a run folder" in done.stderr
