"""What the machine allows."""

import os

import pytest

from pipelines import process
from pipelines.process import usable_jobs


@pytest.mark.parametrize(("cores", "free_gib", "jobs"), [(2, 20, 2), (64, 8, 8), (8, 0, 1), (1, 100, 1)])
def test_jobs_are_one_a_core_as_far_as_memory_is_free(
    cores: int, free_gib: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(process, "_available_memory", lambda: free_gib * 2**30)
    assert usable_jobs() == jobs
