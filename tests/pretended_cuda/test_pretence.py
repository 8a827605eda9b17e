"""The pretended device answers, refuses and waits as CUDA does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn

from tests.pretended_cuda.pretend import pretend_cuda
from tests.pretended_cuda.tags import CPU, GPU
from tests.pretended_cuda.waits import HostWaits


@pytest.fixture
def waits() -> Iterator[HostWaits]:
    with pretend_cuda() as found:
        yield found


def on_device(*shape: int) -> torch.Tensor:
    return torch.arange(float(np.prod(shape)), device="cuda").view(shape)


def test_results_lie_where_their_inputs_do(waits: HostWaits) -> None:
    x = on_device(2, 3)
    assert x.device == (x @ x.T)[0].device == torch.zeros_like(x).device == GPU
    assert x.is_cuda
    assert not x.is_cpu
    assert torch.ones(2).device == x.cpu().device == x.to("cpu", torch.float16).device == CPU
    assert x.to(torch.float64).device == x.new_zeros(3).device == GPU
    assert torch.stack([x, x]).device == torch.nn.functional.pad(x, (1, 1)).device == GPU
    assert np.array_equal(x.cpu().numpy(), np.arange(6.0).reshape(2, 3))


def test_a_module_and_its_optimiser_go_along(waits: HostWaits) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 2)).to("cuda")
    optimiser = torch.optim.Adam(network.parameters(), fused=True)
    before = network[0].weight.detach().clone()
    network(on_device(2, 1, 5, 5)).sum().backward()
    optimiser.step()
    assert before.device == network[0].weight.device == network[0].weight.grad.device == GPU
    assert bool((before != network[0].weight).any())


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.cat([x, torch.ones(2, 3)]),
        lambda x: x.index_select(0, torch.tensor([1])),
        nn.Linear(3, 1),
        lambda x: torch.mul(x, x, out=torch.empty(2, 3)),
    ],
)
def test_devices_that_mix_are_refused(waits: HostWaits, mix: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu"):
        mix(on_device(2, 3))


@pytest.mark.parametrize("read", [torch.Tensor.numpy, np.asarray, np.stack])
def test_numpy_cannot_read_the_device(waits: HostWaits, read: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises(TypeError, match="can't convert cuda:0"):
        read(on_device(3))


@pytest.mark.parametrize(
    ("work", "count"),
    [
        (lambda x: x.cpu(), 1),
        (lambda x: x.sum().item(), 1),
        (lambda x: bool(x.any()), 1),
        (lambda x: x.tolist(), 1),
        (lambda x: x.nonzero(), 1),
        (lambda x: x[x > 2], 1),
        (lambda x: x[[0, 1]], 1),
        (lambda x: torch.repeat_interleave(x[0], x[0].long()), 1),
        (lambda x: torch.repeat_interleave(x[0], x[0].long(), output_size=3), 0),
        (lambda x: torch.tensor([1.0, 2.0], device=x.device), 1),
        (lambda x: torch.ones(3).to(x.device), 1),
        (lambda x: torch.ones(3).to(x.device, non_blocking=True), 1),
        (lambda x: torch.ones(3).pin_memory().to(x.device, non_blocking=True), 0),
        (lambda x: torch.empty(3, pin_memory=True).to(x.device, non_blocking=True), 0),
        (lambda x: x.copy_(torch.ones(2, 3)), 1),
        (lambda x: torch.empty(2, 3).copy_(x), 1),
        (lambda x: torch.empty(2, 3).copy_(x, non_blocking=True), 1),
        (lambda x: torch.empty(2, 3, pin_memory=True).copy_(x), 1),
        (lambda x: torch.empty(2, 3, pin_memory=True).copy_(x, non_blocking=True), 0),
        (lambda x: torch.cuda.synchronize(), 1),
        (lambda x: x.mul(2.0).softmax(1).argmax(1), 0),
    ],
)
def test_waits_are_counted(waits: HostWaits, work: Callable[[torch.Tensor], object], count: int) -> None:
    x = on_device(2, 3)
    waits.forget()
    work(x)
    assert waits.total == count, waits


def test_what_nobody_has_waited_for_is_not_there(waits: HostWaits) -> None:
    event, host = torch.cuda.Event(), torch.empty(2, 3, pin_memory=True)
    host.copy_(on_device(2, 3), non_blocking=True)
    event.synchronize()  # of an event that was not recorded, nobody waits
    assert bool(host.isnan().all())
    event.record()
    event.synchronize()
    assert np.array_equal(host.numpy(), np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("read", [bool, int, float, torch.Tensor.item])
def test_numbers_are_waited_for_in_inference_mode_too(
    waits: HostWaits, read: Callable[[torch.Tensor], object]
) -> None:
    with torch.inference_mode():
        x = on_device(2, 3).sum()
        waits.forget()
        read(x)
    assert waits.total == 1


def test_a_wait_names_the_line_of_this_project(waits: HostWaits) -> None:
    from pipelines.transfer import Transfer

    transfer: Transfer[str] = Transfer(GPU)
    transfer.send("both", on_device(3), on_device(2).double())
    transfer.close()
    ((_, arrays),) = transfer.receive()
    assert [len(array) for array in arrays] == [3, 2]
    assert waits.by_file() == {"pipelines/transfer.py": 1}
    assert " at pipelines/transfer.py:" in str(waits)


def test_autocast_reaches_the_device_and_refuses_an_lstm(waits: HostWaits) -> None:
    linear, lstm = nn.Linear(3, 3).to("cuda"), nn.LSTM(3, 2).to("cuda")
    with torch.autocast("cuda", torch.bfloat16):
        assert linear(on_device(2, 3)).dtype == torch.bfloat16
        with pytest.raises(RuntimeError, match="LSTM in float16"):
            lstm(on_device(2, 3))
    assert lstm(on_device(2, 3))[0].device == GPU


def test_a_graph_runs_nothing_while_it_is_captured_and_everything_in_each_replay(waits: HostWaits) -> None:
    total, x = torch.zeros(3, device="cuda"), torch.ones(3, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.Stream(), capture_error_mode="thread_local"):
        total += x * 2
        doubled = total * 2
    assert total.tolist() == [0, 0, 0]
    for times in (1, 2):
        graph.replay()
        assert total.tolist() == [2 * times] * 3
        assert doubled.tolist() == [4 * times] * 3
    x.fill_(5)
    graph.replay()
    assert total.tolist() == [14] * 3


def test_a_wait_while_a_graph_is_captured_is_an_error(waits: HostWaits) -> None:
    x = on_device(3)
    with (
        pytest.raises(RuntimeError, match="operation not permitted when stream is capturing"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        x.sum().item()


@pytest.mark.parametrize("joined", [False, True])
def test_work_on_another_stream_has_to_be_joined_to_the_capture_that_it_belongs_to(
    waits: HostWaits, joined: bool
) -> None:
    x, beside = on_device(3), torch.cuda.Stream()

    def capture(*, join: bool) -> None:
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            here = torch.cuda.current_stream()
            beside.wait_stream(here)
            with torch.cuda.stream(beside):
                x.mul(2.0)
            if join:
                here.wait_stream(beside)

    capture(join=True)
    if joined:
        capture(join=True)
        with torch.cuda.graph(torch.cuda.CUDAGraph()):  # that of others is not this one's
            x.mul(2.0)
    else:
        with pytest.raises(RuntimeError, match="unjoined work"):
            capture(join=False)


def test_without_the_context_all_is_as_before() -> None:
    with pretend_cuda():
        left = on_device(3)
    assert left.device == CPU
    assert not torch.cuda.is_available() or torch.cuda.get_device_name() != "a pretended device"
    assert torch.autocast is torch.amp.autocast_mode.autocast
