"""Which Dask workers are to build."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import UsageError

_ADDRESS = re.compile(r"((tcp|tls|ucx|wss?)://)?[^/]+:[0-9]+|inproc://.+")


@dataclass(frozen=True)
class ClusterRequest:
    """``scheduler``: address of a running one; None: ``workers`` processes are started on this machine."""

    scheduler: str | None = None
    workers: int = 0


def cluster_of(workers: int | None, scheduler: str | None) -> ClusterRequest | None:
    """What ``--workers`` and ``--scheduler`` ask for; None: this process builds.

    Raises :class:`UsageError` for both, and for an address that is none.
    """
    if workers is not None and scheduler is not None:
        raise UsageError(
            f"--workers {workers} starts workers here and --scheduler {scheduler} uses those of a cluster; "
            f"give one of them"
        )
    if workers is None and scheduler is None:
        return None
    if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
        raise UsageError(
            f"--scheduler {scheduler} is no address of a scheduler; write it as `dask scheduler` prints it, "
            f"as tcp://head:8786"
        )
    return ClusterRequest(scheduler, workers or 0)
