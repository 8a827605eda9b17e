"""Features of encoders in a store: their numbers, and everything that a store does with a feature."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from featurestore.build import BuildRequest, build
from featurestore.cluster.request import ClusterRequest
from featurestore.compare import compare
from featurestore.compute import worker_processes
from featurestore.plan.spec import SpecRequest
from featurestore.sharing.pull import pull
from featurestore.sharing.selection import PartSelection
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.decode import decode
from pipelines.resample import resample
from schemas.errors import EncoderError, StoreDamagedError, UsageError
from tests.encoder_store import build_with
from tests.pipelines.encoders.saved import KINDS, WHISPER, base_of, make_network, make_whisper_encoder, save

WIDTH = WHISPER["d_model"]


def _states(encoder: Path, samples: np.ndarray) -> list[np.ndarray]:
    """All hidden states of a waveform at 16 kHz, (frames, width), by ``transformers`` alone."""
    frames = -(-len(samples) // 320)
    mel = transformers.WhisperFeatureExtractor()(
        samples, sampling_rate=16_000, return_tensors="pt", max_length=320 * frames
    ).input_features
    whole = base_of(transformers.WhisperModel.from_pretrained(encoder))
    config = transformers.WhisperConfig(**{**WHISPER, "max_source_positions": frames})
    network = make_whisper_encoder(config)
    values = whole.state_dict()
    values["embed_positions.weight"] = values["embed_positions.weight"][:frames]
    network.load_state_dict(values)
    with torch.no_grad():
        found = network(mel, output_hidden_states=True).hidden_states
    return [state[0].double().numpy() for state in found]


def test_numbers_are_those_of_transformers(encoder_store: Path, small_demo: Path, encoder: Path) -> None:
    store = FeatureStore.open(encoder_store)
    read = store.read([0, 40], (0,), ("pooled", "framed"))
    assert read["pooled"].shape == (1, 2, 2 * 2 * WIDTH, 1)
    for row, position in enumerate((0, 40)):
        path = small_demo / "demo" / store.manifest["path"].iloc[position]
        samples = decode(path.read_bytes(), store.spec.audio).samples[: store.spec.length]
        heard = resample(torch.from_numpy(samples)[None], 16_000, 22_050)[0].numpy()
        states = _states(encoder, heard)
        pooled = np.concatenate([np.concatenate([states[i].mean(0), states[i].std(0)]) for i in (1, 3)])
        assert np.abs(read["pooled"][0, row, :, 0] - pooled).max() < 2e-3 * np.abs(pooled).max()
        frames = store.valid_frames([position], (0,), "framed")[0, 0]
        assert frames == -(-len(states[2]) // 2)
        pairs = [states[2][first : first + 2].mean(0) for first in range(0, len(states[2]), 2)]
        framed = read["framed"][0, row]
        assert np.abs(framed[:, :frames] - np.stack(pairs, axis=1)).max() < 2e-3 * np.abs(pairs).max()
        assert not framed[:, frames:].any()


def test_a_view_gives_other_numbers_and_lengths(encoder_store: Path) -> None:
    store = FeatureStore.open(encoder_store)
    assert store.document.format_version == 4
    values = store.read([3], (0, 1, 2), ("pooled",))["pooled"].astype(np.float32)
    assert np.abs(values[1] - values[0]).max() > 0.01
    assert np.abs(values[2] - values[0]).max() > 0.01
    assert store.valid_frames([3], (0, 1, 2), "pooled").tolist() == [[1], [1], [1]]
    lengths = store.views.loc[store.views["view"] == 2, "samples"].to_numpy()
    assert (lengths <= store.spec.length).all()
    whole = store.valid_frames(range(len(store.manifest)), (2,), "framed")[0]
    frames = np.ceil(np.ceil(lengths * 16_000 / 22_050) / 320)
    assert np.array_equal(whole, np.ceil(frames / 2))


def test_statistics_are_those_of_the_numbers(encoder_store: Path) -> None:
    store = FeatureStore.open(encoder_store)
    speakers = sorted(set(store.manifest["speaker"]))[:3]
    clips = np.flatnonzero(store.manifest["speaker"].isin(speakers))
    found = store.statistics(speakers, (0, 2))
    for name in ("pooled", "framed"):
        values = store.read(clips, (0, 2), (name,))[name].astype(np.float64)
        valid = store.valid_frames(clips, (0, 2), name)
        heard = np.concatenate(
            [values[v, c, :, : valid[v, c]] for v in range(2) for c in range(len(clips))], axis=1
        )
        assert found[name].count == heard.shape[1] == valid.sum()
        assert np.allclose(found[name].mean, heard.mean(axis=1), atol=1e-5)
        assert np.allclose(found[name].std, heard.std(axis=1), atol=1e-4)


def test_a_store_that_grows_is_the_same_as_one_built_at_once(
    encoder_store: Path, small_demo: Path, mel_recipe: Path, both_recipe: Path, encoder: Path, tmp_path: Path
) -> None:
    """From format version 3 to 4, first without a view and then with both."""
    out = tmp_path / "grown.zarr"
    first = build(BuildRequest(out, small_demo, "demo", SpecRequest(recipe=str(mel_recipe), augment=1)))
    assert first.document.format_version == 3
    middle = build(
        BuildRequest(
            out,
            small_demo,
            "demo",
            SpecRequest(str(both_recipe), 1, encoders={"pooled": encoder, "framed": encoder}),
        )
    )
    assert middle.document.format_version == 4
    last = build_with(out, small_demo, both_recipe, encoder)
    assert last.document.digest == FeatureStore.open(encoder_store).digest
    assert verify(out, full=True).ok


def test_a_feature_added_alone_equals_one_computed_with_another_of_its_encoder(
    encoder_store: Path, small_demo: Path, both_recipe: Path, encoder: Path, tmp_path: Path
) -> None:
    """Together they share forward passes; one that is added later has its own."""
    out = tmp_path / "grown.zarr"
    pull(str(encoder_store), out, PartSelection(features=("mel", "rms", "pooled")))
    report = build_with(out, small_demo, both_recipe, encoder)
    assert report.units_built > 0
    assert report.document.digest == FeatureStore.open(encoder_store).digest


def test_a_part_without_encoders_is_the_store_without_them(
    encoder_store: Path, small_demo: Path, mel_recipe: Path, tmp_path: Path
) -> None:
    pull(str(encoder_store), tmp_path / "part.zarr", PartSelection(features=("mel", "rms")))
    part = FeatureStore.open(tmp_path / "part.zarr").document
    alone = build(
        BuildRequest(tmp_path / "mel.zarr", small_demo, "demo", SpecRequest(recipe=str(mel_recipe)))
    )
    assert part.format_version == 3
    assert part.digest == alone.document.digest
    assert verify(tmp_path / "part.zarr", full=True).ok


def test_a_part_of_encoders_is_a_store(encoder_store: Path, tmp_path: Path) -> None:
    pull(str(encoder_store), tmp_path / "part.zarr", PartSelection(features=("pooled",), views=("original",)))
    whole, part = FeatureStore.open(encoder_store), FeatureStore.open(tmp_path / "part.zarr")
    clips = range(len(whole.manifest))
    assert np.array_equal(part.read(clips)["pooled"], whole.read(clips, (0,), ("pooled",))["pooled"])
    assert verify(tmp_path / "part.zarr", full=True).ok


@pytest.mark.parametrize("where", ["worker processes", pytest.param("cluster", marks=pytest.mark.slow)])
def test_any_way_of_building_gives_the_same_store(
    where: str,
    encoder_store: Path,
    small_demo: Path,
    both_recipe: Path,
    encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_processes, "MANY_CLIPS", 1)
    cluster = ClusterRequest(workers=1) if where == "cluster" else None
    report = build_with(tmp_path / "other.zarr", small_demo, both_recipe, encoder, cluster=cluster)
    assert report.document.digest == FeatureStore.open(encoder_store).digest


def test_a_finished_store_needs_no_weights(
    encoder_store: Path, small_demo: Path, both_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_MODELS", str(tmp_path / "empty"))
    own = Path(shutil.copytree(encoder_store, tmp_path / "own.zarr"))
    report = build_with(own, small_demo, both_recipe, None, check=True)
    assert report.units_built == 0
    assert report.document.digest == FeatureStore.open(encoder_store).digest


def test_growing_without_weights_is_one_sentence_and_changes_nothing(
    encoder_store: Path,
    small_demo: Path,
    both_recipe: Path,
    encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = tmp_path / "models"
    monkeypatch.setenv("SER_MODELS", str(models))
    own = Path(shutil.copytree(encoder_store, tmp_path / "own.zarr"))
    (own / "demo" / "framed" / "c" / "1" / "0" / "0" / "0").unlink()
    with pytest.raises(
        EncoderError, match=r"weights of the encoder pooled \(SHA-256 [0-9a-f]{12}…\) are not on"
    ):
        build_with(own, small_demo, both_recipe, None, check=True)
    shutil.copytree(encoder, models / "by any name")  # found by its hash
    assert build_with(own, small_demo, both_recipe, None, check=True).units_built == 1
    assert verify(own, full=True).ok


def test_other_weights_are_refused(
    encoder_store: Path, small_demo: Path, both_recipe: Path, tmp_path: Path
) -> None:
    other = save(make_network(KINDS["whisper"], seed=1), tmp_path / "other")
    own = Path(shutil.copytree(encoder_store, tmp_path / "own.zarr"))
    (own / "demo" / "pooled" / "c" / "0" / "0" / "0" / "0").unlink()
    with pytest.raises(EncoderError, match="are not those that pooled was computed with"):
        build(
            BuildRequest(
                own, small_demo, "demo", SpecRequest(encoders={"pooled": other, "framed": other}), check=True
            )
        )


def test_a_lost_shard_is_found(encoder_store: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(encoder_store, tmp_path / "own.zarr"))
    (own / "demo" / "framed" / "c" / "0" / "0" / "0" / "0").unlink()
    assert not verify(own).ok
    with pytest.raises(StoreDamagedError, match="framed/c/0/0/0/0"):
        FeatureStore.open(own).read([0], (0,), ("framed",))


def test_named_dimensions(encoder_store: Path) -> None:
    demo = FeatureStore.open(encoder_store).to_xarray()["demo"].to_dataset()
    assert demo["pooled"].dims == ("view", "clip", "pooled_value", "pooled_frame")
    assert demo["mel"].dims == ("view", "clip", "mel_band", "frame")
    assert demo["pooled"].attrs["layers"] == [1, 3]
    assert demo["pooled"].attrs["architecture"]["family"] == "whisper"


def test_stores_compare(encoder_store: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(encoder_store, tmp_path / "own.zarr"))
    stores = [FeatureStore.open(path) for path in (encoder_store, own)]
    assert compare(*stores).same


def test_features_of_different_lengths_are_not_stacked(encoder_store: Path) -> None:
    with pytest.raises(UsageError, match="pooled 1, framed 13"):
        FeatureStore.open(encoder_store).span_reader(("pooled", "framed"))
