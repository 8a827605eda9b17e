"""Which Dask workers build a store."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import UsageError

_ADDRESS = re.compile(r"((tcp|tls|ucx|wss?)://)?[^/]+:[0-9]+|inproc://.+")


@dataclass(frozen=True)
class ClusterRequest:
    """``scheduler``: address of a running scheduler; None: start ``workers`` processes on this machine."""

    scheduler: str | None = None
    workers: int = 0


def cluster_of(workers: int | None, scheduler: str | None) -> ClusterRequest | None:
    """The cluster that ``--workers`` and ``--scheduler`` request; None: this process builds.

    Raises :class:`UsageError` if both are given, and for an invalid address.
    """
    if workers is not None and scheduler is not None:
        raise UsageError(
            f"--workers {workers} starts workers here, but --scheduler {scheduler} uses those of a cluster; "
            f"give only one of them"
        )
    if workers is None and scheduler is None:
        return None
    if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
        raise UsageError(
            f"--scheduler {scheduler} is not the address of a scheduler; copy it from the output of "
            f"`dask scheduler`, for example tcp://head:8786"
        )
    return ClusterRequest(scheduler, workers or 0)
