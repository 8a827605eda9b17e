from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from featurestore.store import FeatureStore
from schemas.errors import RunError
from schemas.training import InputSpec, NormalisationMode
from training.loop import statistics as training_statistics
from training.loop.normalise import Normalisation, Normaliser, normalisation_of

FEATURES = ("mel", "mfcc", "rms", "zcr")
STANDARD, MINMAX = InputSpec(), InputSpec(normalise="minmax")
MODES: tuple[NormalisationMode, ...] = ("standard", "minmax", "sample", "none")


@pytest.fixture(scope="module")
def store(demo_store: Path) -> FeatureStore:
    return FeatureStore.open(demo_store)


def of_speakers(store: FeatureStore, first: int, last: int) -> NDArray[np.int64]:
    """Positions of the clips of some speakers."""
    speakers = sorted(store.manifest["speaker"].unique())[first:last]
    return np.flatnonzero(store.manifest["speaker"].isin(speakers))


def frames_of(store: FeatureStore, clips: NDArray[np.int64], views: tuple[int, ...]) -> NDArray[np.float64]:
    """All valid frames, (frames, C), one clip after the other."""
    arrays, valid = store.read(clips, views, FEATURES), store.valid_frames(clips, views)
    return np.concatenate(
        [
            np.concatenate([arrays[feature][v, c, :, : valid[v, c]] for feature in FEATURES]).T
            for v in range(len(views))
            for c in range(len(clips))
        ]
    ).astype(np.float64)


def some(mode: NormalisationMode = "standard", clip: float | None = None, count: int = 3) -> Normalisation:
    ramp = np.arange(1, count + 1, dtype=np.float32)
    return Normalisation(ramp, 2 * ramp, mode, clip)


def batch(seed: int, dtype: torch.dtype = torch.float16) -> tuple[Tensor, Tensor]:
    """Features (6, 1, 3, 11) with NaN behind the valid frames."""
    generator = np.random.default_rng(seed)
    valid = torch.from_numpy(generator.integers(1, 12, 6))
    features = torch.from_numpy(generator.normal(-40, 15, (6, 1, 3, 11))).to(dtype)
    features[(torch.arange(11) >= valid[:, None])[:, None, None, :].expand_as(features)] = float("nan")
    return features, valid


def test_training_set_has_mean_0_and_deviation_1_in_every_coefficient(store: FeatureStore) -> None:
    clips, views = of_speakers(store, 3, 9), (0, 2, 5)
    normaliser = Normaliser(normalisation_of(store, STANDARD, clips, views, FEATURES))
    frames = frames_of(store, clips, views)
    normal = normaliser(torch.from_numpy(frames.T.copy())[None, None], torch.tensor([len(frames)]))[
        0, 0
    ].double()
    torch.testing.assert_close(normal.mean(dim=1), torch.zeros(170).double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(normal.std(dim=1, correction=0), torch.ones(170).double(), rtol=1e-4, atol=0)


def test_no_array_is_read_where_the_training_side_holds_all_clips_of_its_speakers(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = of_speakers(store, 0, 4)
    expected = frames_of(store, clips, (0, 3))
    monkeypatch.setattr(FeatureStore, "read", None)
    got = normalisation_of(store, STANDARD, clips, (0, 3), FEATURES)
    np.testing.assert_allclose(got.offset, expected.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got.scale, expected.std(axis=0), rtol=1e-5)
    with pytest.raises(TypeError):
        normalisation_of(store, STANDARD, clips[:-1], (0, 3), FEATURES)


def test_held_out_clips_of_training_speakers_have_no_part(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_statistics, "RUN_CLIPS", 5)
    clips = np.random.default_rng(1).permutation(of_speakers(store, 0, 4))[:13]
    expected = frames_of(store, clips, (0, 2))
    got = normalisation_of(store, STANDARD, clips, (0, 2), FEATURES)
    np.testing.assert_allclose(got.offset, expected.mean(axis=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(got.scale, expected.std(axis=0), rtol=1e-6)
    whole = normalisation_of(store, STANDARD, of_speakers(store, 0, 4), (0, 2), FEATURES)
    assert np.abs(got.offset - whole.offset).max() > 0.1


def test_frames_of_an_encoder_are_counted_on_its_own_grid() -> None:
    """A store counts those of other features if it is not asked for the frames of the encoder."""
    array = np.random.default_rng(0).normal(size=(3, 2, 9))
    own = np.array([2, 9, 4])

    class Held:
        manifest = pd.DataFrame({"speaker": ["a"] * 4, "status": ["ok"] * 4})

        def read(self, clips: Any, views: Any, features: Any) -> dict[str, NDArray[np.float64]]:
            return {"framed": array[None]}

        def valid_frames(self, clips: Any, views: Any, feature: str | None = None) -> NDArray[np.int64]:
            return (own if feature == "framed" else 4 * own)[None]

    held: Any = Held()
    held.spec = SimpleNamespace(coefficients={"framed": 2})
    got = normalisation_of(held, STANDARD, np.arange(3), (0,), ("framed",))
    expected = np.concatenate([clip[:, :n] for clip, n in zip(array, own, strict=True)], axis=1)
    np.testing.assert_allclose(got.offset, expected.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(got.scale, expected.std(axis=1), rtol=1e-6)


def test_recordings_that_cannot_be_used_do_not_count_as_held_out() -> None:
    manifest = pd.DataFrame({"speaker": ["a", "a", "b", "b"], "status": ["ok", "bad", "ok", "ok"]})
    held: Any = SimpleNamespace(manifest=manifest)
    whole = training_statistics._whole_speakers
    assert whole(held, np.array([0])) == ["a"]
    assert whole(held, np.array([3, 0, 2, 2])) == ["a", "b"]
    assert whole(held, np.array([0, 2])) is None


def test_the_range_of_the_training_set_becomes_0_to_1(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_statistics, "RUN_CLIPS", 4)
    clips, views = of_speakers(store, 1, 5)[::2], (0, 4)
    frames = frames_of(store, clips, views)
    got = normalisation_of(store, MINMAX, clips, views, FEATURES)
    normal = Normaliser(got)(torch.from_numpy(frames.T.copy())[None, None], torch.tensor([len(frames)]))[0, 0]
    assert (normal.amin(dim=1) == 0).all()
    varies = torch.from_numpy(np.ptp(frames, axis=0) > 0)
    assert varies.sum() > 160
    assert (normal.amax(dim=1)[varies] == 1).all()
    assert (normal[~varies] == 0).all()


@pytest.mark.parametrize("spec", [STANDARD, MINMAX])
def test_features_are_stacked_in_the_order_asked_for(store: FeatureStore, spec: InputSpec) -> None:
    clips = of_speakers(store, 0, 3)
    for chosen in (clips, clips[:-2]):
        both = normalisation_of(store, spec, chosen, (0,), ("mel", "zcr"))
        swapped = normalisation_of(store, spec, chosen, (0,), ("zcr", "mel"))
        np.testing.assert_array_equal(np.roll(both.offset, 1), swapped.offset)
        np.testing.assert_array_equal(np.roll(both.scale, 1), swapped.scale)


def test_the_other_modes_read_nothing_and_keep_the_spec(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FeatureStore, "read", None)
    for mode in ("sample", "none"):
        spec = InputSpec(normalise=mode, clip=4.5)
        got = normalisation_of(store, spec, of_speakers(store, 0, 1)[:2], (0,), FEATURES)
        assert (got.mode, got.clip, got.offset.shape, got.scale.dtype) == (mode, 4.5, (170,), np.float32)


@pytest.mark.parametrize("spec", [STANDARD, MINMAX])
def test_a_coefficient_that_never_varies_becomes_0(spec: InputSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    five = np.full((4, 1, 6), 5.0, np.float16)
    constant: Any = SimpleNamespace(
        manifest=pd.DataFrame({"speaker": ["a"] * 5, "status": ["ok"] * 5}),
        spec=SimpleNamespace(coefficients={"rms": 1}, frames=6),
        read=lambda clips, views, features: {"rms": five[None]},
        valid_frames=lambda clips, views, feature=None: np.full((1, 4), 6),
    )
    got = normalisation_of(constant, spec, np.arange(4), (0,), ("rms",))
    assert got.offset.tolist() == [5.0]
    assert got.scale.tolist() == [1.0]
    assert (Normaliser(got)(torch.from_numpy(five)[:, None], torch.full((4,), 6)) == 0).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("clip", [None, 0.75])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_normaliser_computes_its_formula_on_valid_frames_and_0_behind_them(
    mode: NormalisationMode, clip: float | None, dtype: torch.dtype
) -> None:
    features, valid = batch(1, dtype)
    before = features.clone()
    got = Normaliser(some(mode, clip))(features, valid)
    assert torch.equal(features.nan_to_num(), before.nan_to_num()), "the stored features stay"
    assert got.dtype == torch.float32
    assert got.shape == features.shape
    offset, scale = some().offset[:, None].astype(float), some().scale[:, None].astype(float)
    for x, y, frames in zip(features[:, 0].double().numpy(), got[:, 0].numpy(), valid.tolist(), strict=True):
        own = x[:, :frames]
        expected = {
            "standard": (own - offset) / scale,
            "minmax": (own - offset) / scale,
            "sample": (own - own.mean()) / own.std(),
            "none": own,
        }[mode]
        if clip is not None:
            expected = np.clip(expected, -clip, clip)
        np.testing.assert_allclose(y[:, :frames], expected, rtol=1e-5, atol=1e-5)
        assert (y[:, frames:] == 0).all()


@given(value=st.floats(-120, 120, width=32), frames=st.integers(1, 130))
@example(value=119.9000015258789, frames=107)
@settings(max_examples=50)
def test_a_constant_sample_is_only_centred_though_its_mean_is_rounded(value: float, frames: int) -> None:
    got = Normaliser(some("sample"))(torch.full((1, 1, 170, 130), value), torch.tensor([frames]))
    assert got.abs().max() < 1e-3


def test_a_sample_is_the_same_beside_any_other() -> None:
    features, valid = batch(2)
    for mode in MODES:
        normaliser = Normaliser(some(mode, 5.0))
        together = normaliser(features, valid)
        for i in range(len(valid)):
            torch.testing.assert_close(normaliser(features[i : i + 1], valid[i : i + 1]), together[i : i + 1])


def test_nan_in_valid_frames_is_not_hidden() -> None:
    features, valid = batch(3)
    features[2, 0, 1, 0] = float("nan")
    for mode in MODES:
        assert Normaliser(some(mode, 5.0))(features, valid)[2].isnan().any()


@pytest.mark.parametrize("mode", MODES)
def test_nothing_waits_for_the_device(mode: NormalisationMode) -> None:
    normaliser = Normaliser(some(mode, 5.0))
    # Tensors without values: reading one, or mixing those of two devices, raises.
    with FakeTensorMode():
        there = Normaliser(some(mode, 5.0)).to("cuda")
        features = torch.empty(6, 1, 3, 11, dtype=torch.float16, device="cuda")
        got = there(features, torch.empty(6, dtype=torch.int64, device="cuda"))
    assert got.device.type == "cuda"
    compiled = torch.compile(normaliser, fullgraph=True, backend="eager")
    assert torch.equal(compiled(*batch(4)), normaliser(*batch(4)))


@pytest.mark.parametrize("mode", MODES)
def test_normalisation_survives_its_file(mode: NormalisationMode, tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    for clip in (None, 5.0):
        before = some(mode, clip)
        before.save(path)
        after = Normalisation.load(path)
        np.testing.assert_array_equal(after.offset, before.offset)
        np.testing.assert_array_equal(after.scale, before.scale)
        assert (after.mode, after.clip) == (mode, clip)


def test_files_that_hold_anything_else_are_refused(tmp_path: Path) -> None:
    path, ones = tmp_path / "n.safetensors", np.ones(2, np.float32)
    good = {"normalise": "standard", "clip": None}

    def write(tensors: dict[str, NDArray[Any]], header: object = good) -> None:
        save_file(tensors, path, metadata={"input": json.dumps(header)})

    def refused() -> None:
        with pytest.raises(RunError, match=r"cannot read .*n\.safetensors .*; start a new run"):
            Normalisation.load(path)

    refused()
    path.write_bytes(b"no")
    refused()
    save_file({"offset": ones, "scale": ones}, path)
    refused()
    pair = {"offset": ones, "scale": ones}
    write(pair)
    assert Normalisation.load(path).mode == "standard"
    for tensors in (
        {"offset": ones},
        {**pair, "mean": ones},
        {"offset": ones, "scale": np.ones(3, np.float32)},
        {"offset": ones.astype(np.float64), "scale": ones},
        {"offset": ones[:, None], "scale": ones[:, None]},
        {"offset": ones, "scale": 0 * ones},
        {"offset": np.nan * ones, "scale": ones},
    ):
        write(tensors)
        refused()
    for header in (
        [],
        {**good, "more": 1},
        {**good, "normalise": "other"},
        {**good, "normalise": []},
        {**good, "clip": 0},
        {**good, "clip": "5"},
        {**good, "clip": True},
    ):
        write(pair, header)
        refused()
