"""Workers on a machine with GPUs: one for each."""

from __future__ import annotations

import pytest
from distributed import LocalCluster

from featurestore.cluster import client
from featurestore.cluster.client import dask_client
from featurestore.cluster.request import ClusterRequest
from schemas.errors import UsageError
from tests.pretended_cuda.pretend import pretend_cuda


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_more_workers_than_gpus_are_refused_before_any_starts(device: str) -> None:
    sentence = (
        r"--workers 2: this machine has 1 GPU, and each worker needs its own; "
        r"use --workers 1, or --device cpu"
    )
    with (
        pretend_cuda(),
        pytest.raises(UsageError, match=f"^{sentence}$"),
        dask_client(ClusterRequest(workers=2), device),
    ):
        pass


def test_workers_that_would_share_a_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(client, "find_spec", lambda _: None)
    assert client._local_cluster(1, "cuda") is LocalCluster
    with pytest.raises(UsageError, match=r"--workers 4: without dask-cuda, .* run pip install dask-cuda, or"):
        client._local_cluster(4, "cuda")


def test_a_gpu_for_each_worker_is_dask_cudas_work(monkeypatch: pytest.MonkeyPatch) -> None:
    dask_cuda = pytest.importorskip("dask_cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert client._local_cluster(4, "auto") is dask_cuda.LocalCUDACluster


def test_on_the_cpu_there_may_be_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert client._local_cluster(9, "cpu") is LocalCluster
