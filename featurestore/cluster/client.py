"""A client of the Dask workers that a user asks for: those of a running scheduler, or new ones here."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

import dask
from distributed import Client, LocalCluster

from featurestore.cluster.request import ClusterRequest
from schemas.errors import ClusterError

_CONNECT_SECONDS = 15

_NO_PAGES: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""Dask's pages about a cluster are read by whoever asks, without TLS."""


@contextmanager
def dask_client(request: ClusterRequest, device: str) -> Iterator[Client]:
    """Client of the workers of ``request``; workers started here compute on ``device`` and end with it.

    Raises :class:`ClusterError` where no scheduler answers.
    """
    for name in ("distributed", "distributed.client"):  # the second has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if request.scheduler is None:
        with (
            dask.config.set(_NO_PAGES),
            _interrupts_held_back() as let_through,
            _local_cluster(device)(
                n_workers=request.workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                security=True,  # a port on this machine is open to all of its users
            ) as cluster,
            Client(cluster) as client,
        ):
            let_through()
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
        with suppress(Exception):  # it may be gone; what it still does, it may not write
            client.close(timeout=5)


def _local_cluster(device: str) -> type[LocalCluster]:
    """What starts workers here: dask-cuda where it is installed and there are GPUs."""
    if device == "cpu" or find_spec("dask_cuda") is None or not _has_cuda():
        return LocalCluster
    from dask_cuda import LocalCUDACluster

    cuda: type[LocalCluster] = LocalCUDACluster
    return cuda


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@contextmanager
def _interrupts_held_back() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function is called that this gives, or to the end; it is not lost.

    Processes that are started meanwhile never see it: it is for this process, which ends its workers.
    """
    held = {signal.SIGINT} - signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def let_through() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)

    try:
        yield let_through
    finally:
        let_through()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
