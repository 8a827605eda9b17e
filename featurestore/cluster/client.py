"""A client of the requested Dask workers: those of a running scheduler, or new ones on this machine."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from typing import TypeVar

import dask
from distributed import Client, LocalCluster

from featurestore.cluster.request import ClusterRequest
from featurestore.cluster.scratch import require_scratch
from schemas.errors import ClusterError, UsageError
from schemas.messages.counts import format_count

_CONNECT_SECONDS = 15

_Opened = TypeVar("_Opened", LocalCluster, Client)

_NO_PAGES: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""Turns off Dask's status pages: anyone can read them, without TLS."""


@contextmanager
def dask_client(request: ClusterRequest, device: str) -> Iterator[Client]:
    """Open a client of the requested workers. Workers started here compute on ``device`` and end with it.

    Raises :class:`UsageError` for more workers than GPUs, :class:`ClusterError` if no scheduler answers or
    workers do not start, :class:`StorageError` if there is no room for their temporary files.
    """
    for name in ("distributed", "distributed.client"):  # the second has its own level
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if request.scheduler is None:
        cluster_class = _local_cluster(request.workers, device)
        require_scratch()
        with (
            dask.config.set(_NO_PAGES),
            _delay_interrupts() as allow_interrupts,
            ExitStack() as stack,
        ):
            client = _start_workers(stack, cluster_class, request.workers)
            allow_interrupts()
            yield client
        return
    try:
        with dask.config.set({"distributed.comm.timeouts.connect": f"{_CONNECT_SECONDS}s"}):
            client = Client(request.scheduler, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(
            f"no scheduler answers at {request.scheduler}: {_first_line(error)}; start one with "
            f"`dask scheduler`, or leave --scheduler out"
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):  # it may be gone; whatever it still runs cannot write to the store
            client.close(timeout=5)


def _start_workers(stack: ExitStack, cluster_class: type[LocalCluster], workers: int) -> Client:
    """Start workers on this machine and a client of them; ``stack`` ends both."""
    try:
        cluster = cluster_class(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            security=True,  # every user of this machine can reach the port
        )
        stack.enter_context(_ended(cluster))
        client: Client = stack.enter_context(_ended(Client(cluster)))
    except (OSError, ImportError, RuntimeError) as error:
        raise ClusterError(
            f"{format_count(workers, 'worker')} cannot be started: {_first_line(error)}; they "
            f"need some room in /dev/shm and in the folder for temporary files (TMPDIR); make room, or leave "
            f"--workers out"
        ) from error
    return client


@contextmanager
def _ended(opened: _Opened) -> Iterator[_Opened]:
    """End a cluster or a client with the block.

    On a busy machine, Dask may give up waiting for its own thread, which no work needs any more.
    """
    opened.__enter__()
    try:
        yield opened
    finally:
        with suppress(TimeoutError):
            opened.__exit__(*sys.exc_info())


def _local_cluster(workers: int, device: str) -> type[LocalCluster]:
    """The class that starts workers here: with GPUs dask-cuda's, which gives each worker one of them.

    Raises :class:`UsageError` for more workers than GPUs, and for several workers without dask-cuda, as all
    would use the first GPU.
    """
    gpus = 0 if device == "cpu" else _count_gpus()
    if not gpus:
        return LocalCluster
    if workers > gpus:
        raise UsageError(
            f"--workers {workers}: this machine has {format_count(gpus, 'GPU')}, and each worker needs its "
            f"own; use --workers {gpus}, or --device cpu"
        )
    if find_spec("dask_cuda") is None:
        if workers > 1:
            raise UsageError(
                f"--workers {workers}: without dask-cuda, all workers would use the same GPU; run "
                "pip install dask-cuda, or use --workers 1 or --device cpu"
            )
        return LocalCluster
    from dask_cuda import LocalCUDACluster

    cuda: type[LocalCluster] = LocalCUDACluster
    return cuda


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


@contextmanager
def _delay_interrupts() -> Iterator[Callable[[], None]]:
    """Delay Ctrl-C until the returned function is called, or to the end of the block; it is not lost.

    Processes started meanwhile never receive it: it is for this process, which ends its workers.
    """
    held = {signal.SIGINT} - signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def allow_interrupts() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)

    try:
        yield allow_interrupts
    finally:
        allow_interrupts()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
