"""Results leave the device in one go, while it computes the next batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from pipelines import batch_size
from pipelines.feature_batch import FeatureBatch
from pipelines.pipeline import Pipeline
from pipelines.transfer import Transfer
from tests.pipelines.speech import Samples
from tests.pipelines.test_pretended_gpu import CPU, EVERY_FEATURE, FIXED, GPU, clips, with_views
from tests.pretended_cuda.pretend import pretend_cuda

__all__ = ["clips"]

SPEC = with_views(EVERY_FEATURE, FIXED[:1])


def test_groups_arrive_as_they_were_sent() -> None:
    sent = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2], dtype=torch.float64)}
    with pretend_cuda() as waits:
        transfer: Transfer[str] = Transfer(GPU)
        for label, tensor in sent.items():
            transfer.send(label, tensor.to("cuda"), (tensor + 1).to("cuda"))
        waits.forget()
        transfer.close()
        found = list(transfer.receive())
        assert waits.total == 1, waits
    assert [label for label, _ in found] == ["a", "b"]
    for (label, arrays), tensor in zip(found, sent.values(), strict=True):
        assert [np.array_equal(arrays[i], tensor.numpy() + i) for i in (0, 1)] == [True, True], label


def test_nothing_is_copied_on_a_cpu() -> None:
    transfer: Transfer[str] = Transfer(CPU)
    numbers = torch.arange(6.0)
    transfer.send("a", numbers)
    transfer.close()
    ((_, (array,)),) = transfer.receive()
    assert np.shares_memory(array, numbers.numpy())


def test_the_host_waits_once_for_the_results_of_a_batch(
    clips: list[Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "MOST_CLIPS", 4)
    names = [f"clip/{row}" for row in range(len(clips))]
    with pretend_cuda() as waits:
        pipeline = Pipeline(SPEC, GPU)
        expected = pipeline(names, clips)
        collect: list[Callable[[], FeatureBatch]] = [
            pipeline.launch(names, clips),
            pipeline.launch(names[:1], clips[:1]),
        ]
        waits.forget()
        found, last = (wait() for wait in collect)
        assert waits.total <= 2, waits
        assert set(waits.by_file()) == {"pipelines/transfer.py"}
        waits.forget()
        pipeline.launch(names, clips)
        assert "pipelines/transfer.py" not in waits.by_file()
    for name, values in expected.arrays.items():
        assert np.array_equal(found.arrays[name], values)
        assert np.array_equal(found.mean[name], expected.mean[name])
        assert np.array_equal(last.arrays[name], values[:, :1])
