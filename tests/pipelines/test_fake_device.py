"""The pipeline's way on a GPU under torch's FakeTensorMode: devices and shapes by torch's own rules.

Independent of the pretended device of tests/pretended_cuda, and without numbers, so that batches have their
full size. An operator whose result's shape follows from numbers raises here.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from pipelines import chirp, constants, pipeline, random_stream, resample, vocoder
from pipelines.batch_size import MOST_CLIPS, bytes_per_clip
from pipelines.feature_batch import FeatureBatch
from pipelines.pipeline import Pipeline
from pipelines.transfer import Label, Transfer
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec
from schemas.views import PitchSpec, SpeedSpec, StretchSpec, ViewSpec
from tests.pipelines.views_of_all_kinds import DRAWN, FIXED, with_views
from tests.pretended_cuda.kernels import CountKernels
from tests.pretended_cuda.memory import FollowMemory

GPU = torch.device("cuda", 0)
DEFAULT = load_recipe("four-corpora-a").store_spec(6)
EVERY_FEATURE = DEFAULT.model_copy(update={"features": named_features("all", DEFAULT.features)})


@pytest.fixture(autouse=True)
def no_constants() -> Iterator[None]:
    """Constants of other tests have numbers, and those of this one must not outlive it."""
    _forget_constants(chirp, constants, random_stream, resample, vocoder)
    yield
    _forget_constants(chirp, constants, random_stream, resample, vocoder)


def _forget_constants(*modules: ModuleType) -> None:
    for module in modules:
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The tensors that were copied to the host, where zeros take their place."""
    found: list[torch.Tensor] = []

    class Nothing(Transfer[Label]):
        def send(self, label: Label, *tensors: torch.Tensor) -> None:
            found.extend(tensors)
            self._groups.append((label, [*tensors]))

        def close(self) -> None:
            pass

        def receive(self) -> Iterator[tuple[Label, list[npt.NDArray[Any]]]]:
            for label, tensors in self._groups:
                arrays = [np.zeros(each.shape, str(each.dtype).removeprefix("torch.")) for each in tensors]
                yield label, [np.ones_like(each) if each.dtype == bool else each for each in arrays]

    monkeypatch.setattr(pipeline, "Transfer", Nothing)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**40, 2**40))
    return found


def compute(spec: StoreSpec) -> tuple[FeatureBatch, CountKernels]:
    """A full batch of clips from 0.1 s to more than what is kept, and the kernels of its second run."""
    lengths = np.linspace(2000, 90_000, MOST_CLIPS).astype(int)
    clips = [np.zeros(length, np.float32) for length in lengths]
    with FakeTensorMode():
        there = Pipeline(spec, GPU)
        for _ in range(2):  # the first makes the constants
            with CountKernels() as kernels:
                batch = there([f"clip/{row}" for row in range(MOST_CLIPS)], clips)
    return batch, kernels


@pytest.mark.parametrize(
    ("spec", "ceiling"),
    [
        (DEFAULT, 300),
        (with_views(EVERY_FEATURE, (*FIXED, *DRAWN)), 800),
        (load_recipe("cremad").store_spec(), 400),
        (load_recipe("ravdess-attention").store_spec(), 450),
    ],
    ids=["default recipe", "every feature and view", "cremad", "ravdess-attention"],
)
def test_a_batch_stays_on_the_device_and_its_kernels_only_fall(
    spec: StoreSpec, ceiling: int, copied: list[torch.Tensor]
) -> None:
    batch, kernels = compute(spec)
    assert {tensor.device for tensor in copied} == {GPU}
    shapes = {name: array.shape for name, array in batch.arrays.items()}
    assert shapes == {name: (len(spec.view_names), MOST_CLIPS, *of) for name, of in spec.shapes.items()}
    assert 0 < kernels.total <= ceiling, kernels


def long_clips(seconds: float, view: ViewSpec) -> StoreSpec:
    spec = with_views(EVERY_FEATURE, (view,)).model_dump()
    return StoreSpec.model_validate({**spec, "audio": {**spec["audio"], "duration_s": seconds}})


@pytest.mark.parametrize(
    "spec",
    [
        EVERY_FEATURE,
        *(with_views(EVERY_FEATURE, (view,)) for view in (*FIXED[1:2], *FIXED[3:], *DRAWN)),
        with_views(EVERY_FEATURE, (PitchSpec(name="pitches", semitones=(-12, 12)),)),
        with_views(EVERY_FEATURE, (SpeedSpec(name="speeds", factor=(0.5, 2)),)),
        long_clips(20.0, StretchSpec(name="stretches", factor=(0.5, 2))),
    ],
    ids=lambda spec: f"{spec.length} samples, {', '.join(spec.view_names[1:])}",
)
def test_a_batch_takes_about_the_memory_of_the_formula(spec: StoreSpec, copied: list[torch.Tensor]) -> None:
    with FakeTensorMode():
        there = Pipeline(spec, GPU)
        there.clips_at_once = 8
        with FollowMemory() as memory:
            there(["clip"] * 8, [np.zeros(1000, np.float32)] * 8)
    assert copied
    assert 0.9 < 8 * bytes_per_clip(spec) / memory.peak < 2.5
