"""DALI against soundfile on real recordings, and its spectral operators against ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import soundfile
import torch

from gpu.machine import seconds_of
from gpu.session import Session, Tell
from pipelines.dali import DaliClip, dali_clips
from pipelines.device import choose_device
from pipelines.features.extract import FeatureExtractor
from pipelines.process import usable_jobs
from schemas.features import named_features
from schemas.recipe import load_recipe


def compare_decoders(session: Session, tell: Tell) -> None:
    """Count recordings whose float32 samples differ in any bit, and clips per second of both decoders."""
    if find_spec("nvidia") is None or find_spec("nvidia.dali") is None:
        tell("not run, for want of", "nvidia.dali")
        return
    _, files = session.corpora(60)
    expected = [soundfile.read(file, dtype="float32", always_2d=True)[0] for file in files]
    decoded = list(dali_clips(files, 1))
    tell("left to soundfile", sum(not isinstance(clip, DaliClip) for clip in decoded))
    tell(
        "clips that differ",
        sum(
            not np.array_equal(clip.channels.numpy(), samples)
            for clip, samples in zip(decoded, expected, strict=True)
            if isinstance(clip, DaliClip)
        ),
    )
    many = files * session.size(20, 1)
    started = time.perf_counter()
    for _ in dali_clips(many, usable_jobs()):
        pass
    tell("clips/s, DALI", round(len(many) / (time.perf_counter() - started), 1))
    started = time.perf_counter()
    for file in many:
        soundfile.read(file, dtype="float32", always_2d=True)
    tell("clips/s, soundfile on one core", round(len(many) / (time.perf_counter() - started), 1))


def compare_operators(session: Session, tell: Tell) -> None:
    """Seconds for mel dB and MFCC of 448 waveforms of 3 s, with ours and with DALI's if it is installed."""
    recipe, device = load_recipe("four-corpora-a").store_spec(0), choose_device(session.device)
    waveforms = torch.randn(session.size(448, 2), recipe.length, device=device) * 0.1
    spec = recipe.model_copy(update={"features": named_features("mel,mfcc", recipe.features)})
    extract = FeatureExtractor(spec, device)
    repeat = session.size(15, 1)
    with torch.inference_mode():
        tell("s, ours", seconds_of(lambda: extract.table([waveforms]), session.device, repeat))
    if find_spec("nvidia") is not None and find_spec("nvidia.dali") is not None:
        tell("s, DALI's", seconds_of(_dali_features(waveforms, device), session.device, repeat))


def _dali_features(waveforms: torch.Tensor, device: torch.device) -> Callable[[], object]:
    from nvidia.dali import Pipeline as DaliPipeline
    from nvidia.dali import fn

    on = "gpu" if device.type == "cuda" else "cpu"
    pipeline = DaliPipeline(len(waveforms), 4, 0 if on == "gpu" else None, prefetch_queue_depth=1)
    window = np.hanning(2049)[:-1].astype(np.float32).tolist()  # periodic
    with pipeline:
        sound = fn.external_source(name="sound", device=on, ndim=1, no_copy=on == "gpu")
        options = {"nfft": 2048, "window_length": 2048, "window_step": 512, "window_fn": window}
        power = fn.spectrogram(sound, reflect_padding=False, **options)
        mel = fn.mel_filter_bank(power, sample_rate=22_050, nfilter=128, mel_formula="slaney", normalize=True)
        decibels = fn.to_decibels(mel, multiplier=10.0, reference=1.0, cutoff_db=-100.0)
        pipeline.set_outputs(decibels, fn.mfcc(decibels, n_mfcc=40, normalize=True))
    pipeline.build()
    batch = list(waveforms) if on == "gpu" else list(waveforms.numpy())

    def run() -> object:
        pipeline.feed_input("sound", batch)
        return pipeline.run()

    return run
