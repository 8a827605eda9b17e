"""Which Dask workers are to build."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import UsageError


@dataclass(frozen=True)
class ClusterRequest:
    """``scheduler``: address of a running one; None: ``workers`` processes are started on this machine."""

    scheduler: str | None = None
    workers: int = 0


def cluster_of(workers: int | None, scheduler: str | None) -> ClusterRequest | None:
    """What ``--workers`` and ``--scheduler`` ask for; None: this process builds.

    Raises :class:`UsageError` for both.
    """
    if workers is not None and scheduler is not None:
        raise UsageError(
            f"--workers {workers} starts workers here and --scheduler {scheduler} uses those of a cluster; "
            f"give one of them"
        )
    if workers is None and scheduler is None:
        return None
    return ClusterRequest(scheduler, workers or 0)
