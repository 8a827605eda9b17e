"""Jobs and threads that a process takes."""

import pytest
import torch

from pipelines import process
from pipelines.process import torch_threads, usable_jobs


@pytest.mark.parametrize(("cores", "free_gib", "jobs"), [(2, 20, 2), (64, 8, 8), (8, 0, 1), (1, 100, 1)])
def test_jobs_are_one_per_core_as_far_as_memory_is_free(
    cores: int, free_gib: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "usable_cores", lambda _: cores)
    monkeypatch.setattr(process, "available_memory", lambda _: free_gib * 2**30)
    assert usable_jobs() == jobs


def test_torch_takes_no_more_threads_than_cores_unless_the_user_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    monkeypatch.setattr(process, "usable_cores", lambda: 3)
    assert torch_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert torch_threads() == 64
