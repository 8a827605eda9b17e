"""What is counted per request, for the log and for Prometheus: neither its content nor its sender."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_CLIPS = (1, 2, 4, 8, 16, 32)


@dataclass
class Account:
    """Counts of one request, which grow while it is answered."""

    route: str
    since: float = field(default_factory=time.perf_counter)
    status: int = 0
    bytes: int = 0
    clips: int = 0
    unusable: int = 0
    rows: int = 0
    audio_s: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the request arrived."""
        return time.perf_counter() - self.since


class Metrics:
    """Metrics of a service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ser_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        self.latency = Histogram(
            "ser_request_seconds",
            "Seconds from a request's first line to its answer.",
            ("route",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.clips = Counter("ser_clips", "Clips by result.", ("result",), registry=self.registry)
        self.audio = Counter("ser_audio_seconds", "Seconds of audio received.", registry=self.registry)
        self.received = Counter("ser_received_bytes", "Bytes of bodies received.", registry=self.registry)
        self.batches = Histogram(
            "ser_batch_clips", "Clips per batch of the model.", registry=self.registry, buckets=_CLIPS
        )
        self.in_flight = Gauge("ser_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.streams = Gauge("ser_streams_open", "Streams that are open.", registry=self.registry)

    def count(self, account: Account) -> None:
        """Count a request that has ended."""
        self.requests.labels(account.route, str(account.status)).inc()
        self.latency.labels(account.route).observe(account.seconds)
        self.clips.labels("predicted").inc(account.clips - account.unusable)
        self.clips.labels("unusable").inc(account.unusable)
        self.audio.inc(account.audio_s)
        self.received.inc(account.bytes)


def log(account: Account) -> None:
    """Write one line of JSON about a request to standard error."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "route": account.route,
        "status": account.status,
        "ms": round(1e3 * account.seconds, 1),
        "bytes": account.bytes,
        "clips": account.clips,
        "rows": account.rows,
        "audio_s": round(account.audio_s, 3),
    }
    with suppress(OSError, ValueError):  # the reader of the log has closed it
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()
