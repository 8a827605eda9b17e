"""How often the host waits for a GPU while an encoder computes, on a pretended one."""

from __future__ import annotations

import pytest
import torch

from pipelines.encoders.batches import MOST_FRAMES
from pipelines.encoders.extract import encoder_extractors
from pipelines.encoders.weights import find_weights
from schemas.encoders import EncoderSpec
from schemas.spec import AudioSpec, SpectralSpec, StoreSpec
from tests.pipelines.encoders.conftest import Saved
from tests.pipelines.encoders.test_padded import LENGTHS, require_numbers_of_clips_alone, view_of
from tests.pretended_cuda.pretend import pretend_cuda
from tests.pretended_cuda.tags import GPU

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kind", "most_frames", "ceiling"),
    [
        ("whisper", MOST_FRAMES, 0),
        ("whisper", 100, 0),
        ("XLS-R", MOST_FRAMES, 2),
        ("HuBERT large", MOST_FRAMES, 2),
        ("WavLM large", MOST_FRAMES, 1),
        ("data2vec", MOST_FRAMES, 2),
        ("wav2vec 2.0 base", MOST_FRAMES, 0),
    ],
)
def test_only_the_masks_of_transformers_wait(
    saved: Saved, kind: str, most_frames: int, ceiling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Per batch, however many clips it has. Resampling is left out: it sends its filter."""
    folder = saved(kind)[1]
    weights = find_weights(folder)
    given = {"architecture": weights.architecture, "sha256": weights.sha256}
    features = tuple(
        EncoderSpec.model_validate({"name": pooling.replace("+", "-"), "pooling": pooling, **given})
        for pooling in ("mean+std", "frames")
    )
    audio = AudioSpec(sample_rate=16_000, duration_s=1.4)
    spec = StoreSpec(audio=audio, spectral=SpectralSpec(n_fft=512, hop_length=256), features=features)
    folders = {feature.name: folder for feature in features}
    monkeypatch.setattr("pipelines.encoders.extract.MOST_FRAMES", most_frames)
    view = view_of(LENGTHS)
    with pretend_cuda() as waits:
        (on_device,) = encoder_extractors(spec, folders, GPU)
        sent = view_of(LENGTHS, GPU)
        waits.forget()
        found = on_device(sent)
        batches = len(on_device.batches(LENGTHS))
        assert waits.total <= ceiling * batches, waits
        found = {name: values.cpu() for name, values in found.items()}
    (alone,) = encoder_extractors(spec, folders, CPU)
    require_numbers_of_clips_alone(found, alone, view)
