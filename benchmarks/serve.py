"""Requests per second and latency of the service, compared with a plain FastAPI handler with librosa.

    python benchmarks/serve.py RUN CLIP…

The plain handler is what a tutorial shows: an upload is loaded with librosa, librosa computes the features of
model A, and the same network scores them, one request at a time per thread of FastAPI's pool. It is measured
with torch's default threads and with one thread; the faster of the two counts. Both services get the same
forms from 1 to 32 clients on loopback, each of which sends its next request when it has the answer. Clients
and service share the machine's cores. Rounds of the services take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, UploadFile
from machine import write_result
from predict_latency import processor_s

CLIENTS = (1, 2, 4, 8, 16, 32)
OURS = "from training.cli.serve import main; main()"
TARGET = 3.0


@dataclass(frozen=True)
class Server:
    """A service under way."""

    port: int
    path: str
    process: int


@dataclass(frozen=True)
class Round:
    """Some seconds with a number of clients."""

    latencies_s: list[float]
    seconds: float
    processor_s: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies_s) / self.seconds


def serve_plain(run: Path, port: int) -> None:
    """Serve the plain handler until the process is ended."""
    import uvicorn
    from predict import script_of

    from training.predict.predictor import Predictor

    app = FastAPI()
    predictor = Predictor.open(run, "cpu")
    predict = script_of(predictor)

    @app.post("/predict")
    def answer(file: UploadFile) -> dict[str, float]:
        (probabilities,) = predict(file.file)  # type: ignore[arg-type,misc]
        return dict(zip(predictor.emotions, probabilities.tolist(), strict=True))

    uvicorn.run(app, port=port, log_level="critical", access_log=False)


@contextmanager
def started(command: Sequence[str], path: str, port: int, **environment: str) -> Iterator[Server]:
    """A service in a process of its own that answers."""
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        with httpx.Client(trust_env=False) as client:
            while True:
                if process.poll() is not None:
                    sys.exit(f"{command} has ended")
                try:
                    client.get(f"http://127.0.0.1:{port}/")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
        yield Server(port, path, process.pid)
    finally:
        process.terminate()
        process.wait(60)


def form_of(content: bytes, path: str) -> bytes:
    """A request with a form, as clients send it."""
    made = httpx.Request("POST", f"http://127.0.0.1{path}", files={"file": ("clip.wav", content)})
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {made.headers['content-type']}\r\n"
    body = made.read()
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(server: Server, forms: Sequence[bytes], clients: int, seconds: float) -> Round:
    """Send requests from ``clients`` connections for this many seconds."""
    latencies: list[float] = []
    begun, before = time.perf_counter(), processor_s(server.process)

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        turn = number
        while (since := time.perf_counter()) < begun + seconds:
            writer.write(forms[turn % len(forms)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert head.startswith(b"HTTP/1.1 200"), head
            assert length is not None
            await reader.readexactly(int(length[1]))
            latencies.append(time.perf_counter() - since)
            turn += clients
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return Round(latencies, time.perf_counter() - begun, processor_s(server.process) - before)


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Figures of one service with one number of clients; latencies over all rounds."""
    latencies = sorted(latency for each in rounds for latency in each.latencies_s)
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return {
        "requests_per_s": statistics.median(each.rate for each in rounds),
        "p50_ms": 1e3 * cuts[49],
        "p95_ms": 1e3 * cuts[94],
        "processor_ms": 1e3 * sum(each.processor_s for each in rounds) / len(latencies),
        "requests": len(latencies),
    }


def measure(run: Path, files: Sequence[Path], seconds: float, repeat: int) -> dict[str, Any]:
    """Figures by service and number of clients."""
    contents = [file.read_bytes() for file in files]
    ours = [sys.executable, "-c", OURS, str(run), "--device", "cpu", "--no-log"]
    plain = [sys.executable, __file__, str(run), "--plain"]
    found: dict[str, dict[int, list[Round]]] = {}
    with ExitStack() as stack:
        servers = {
            "ours": stack.enter_context(started(ours, "/v1/predict", 8781)),
            "plain": stack.enter_context(started(plain, "/predict", 8782)),
            "plain, one thread": stack.enter_context(started(plain, "/predict", 8783, OMP_NUM_THREADS="1")),
        }
        forms = {name: [form_of(each, server.path) for each in contents] for name, server in servers.items()}
        for name, server in servers.items():
            asyncio.run(ask(server, forms[name], 4, 2.0))  # warm
        for clients in CLIENTS:
            for _ in range(repeat):
                for name, server in servers.items():
                    rounds = found.setdefault(name, {}).setdefault(clients, [])
                    rounds.append(asyncio.run(ask(server, forms[name], clients, seconds)))
    rows = []
    for clients in CLIENTS:
        by_name = {name: summary(rounds[clients]) for name, rounds in found.items()}
        best = max(("plain", "plain, one thread"), key=lambda name: by_name[name]["requests_per_s"])
        rows.append(
            {
                "clients": clients,
                **by_name,
                "fastest_plain": best,
                "times_plain": by_name["ours"]["requests_per_s"] / by_name[best]["requests_per_s"],
                "times_plain_processor": by_name[best]["processor_ms"] / by_name["ours"]["processor_ms"],
            }
        )
    return {"clips": len(files), "rows": rows}


def main() -> None:
    """Run the benchmark, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--seconds", type=float, default=5.0, help="per round")
    parser.add_argument("--repeat", type=int, default=2, help="rounds")
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=8782, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        serve_plain(options.run, options.port)
        return
    load_before = os.getloadavg()
    found = measure(options.run, options.clips, options.seconds, options.repeat)
    print(
        f"{'clients':>8} {'ours/s':>8} {'p95 ms':>8} {'plain/s':>8} {'p95 ms':>8} {'times':>6}"
        f"   target: {TARGET:g}"
    )
    for row in found["rows"]:
        ours, plain = row["ours"], row[row["fastest_plain"]]
        print(
            f"{row['clients']:>8} {ours['requests_per_s']:8.1f} {ours['p95_ms']:8.1f} "
            f"{plain['requests_per_s']:8.1f} {plain['p95_ms']:8.1f} {row['times_plain']:6.2f}"
        )
    print(write_result("serve", {"load_before": load_before, "seconds": options.seconds, **found}))


if __name__ == "__main__":
    main()
