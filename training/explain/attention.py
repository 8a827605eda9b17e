"""Weights over time that attention pooling gives to the frames of some test clips."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from featurestore.store import FeatureStore
from pipelines.float32_products import float32_products
from schemas.architecture import ConvolutionSpec, ModelSpec
from schemas.encoders import ENCODER_RATE, EncoderSpec
from schemas.labels import Target
from schemas.spec import StoreSpec
from training.loop.network import sources_of
from training.models.frame_pooling import FrameStatistics
from training.models.time_pooling import AttentionPooling
from training.predict.trained import TrainedModel
from training.report.explanation import AttendedClip
from training.runs.observer import SilentObserver
from training.runs.request import Hardware
from training.runs.run import RunRecord
from training.samples.samples import Samples
from training.samples.targets import emotion_marginal

RIGHT, WRONG = 3, 3
"""Most clips that are shown: recognised correctly, and not."""


def attend(
    model: TrainedModel,
    store: FeatureStore,
    samples: Samples,
    probabilities: NDArray[np.float64],
    device: torch.device,
    hardware: Hardware,
) -> tuple[AttendedClip, ...]:
    """Weights over time for some of the clips; empty if the model has no attention pooling.

    ``probabilities`` (samples, classes) are its predictions for ``samples``. Of the clips that are recognised
    correctly, and of the others, those with the highest probability are chosen, of different emotions first.
    """
    if not has_attention(model.record):
        return ()
    labels = model.record.recipe.labels
    emotions = emotion_marginal(probabilities, labels.label_set(), labels.target)
    names = labels.label_set().class_names(Target.EMOTION)
    true = samples.classes % len(names)
    chosen = choose_clips(true, emotions)
    some = Samples(samples.clips[chosen], samples.views[chosen], samples.targets[chosen])
    found = _weights_of(model, store, some, device, hardware)
    feature = shown_feature(store.spec, model.record.features)
    hop_s = frame_s(store.spec, feature)
    step_s = frame_s(store.spec, model.record.features[0]) * frames_per_step(model.record.recipe.model)
    clips = []
    for i, (row, weights) in enumerate(zip(chosen.tolist(), found, strict=True)):
        view = int(some.views[i])
        values = store.read([int(some.clips[i])], (view,), [feature])[feature][0, 0]
        frames = int(store.valid_frames([int(some.clips[i])], (view,), feature)[0, 0])
        predicted = int(emotions[row].argmax())
        clips.append(
            AttendedClip(
                clip_id=str(store.manifest["clip_id"].iloc[some.clips[i]]),
                true=names[int(true[row])],
                predicted=names[predicted],
                probability=float(emotions[row, predicted]),
                weights=weights,
                step_s=step_s,
                feature=feature,
                values=values[:, :frames],
                hop_s=hop_s,
            )
        )
    return tuple(clips)


def has_attention(record: RunRecord) -> bool:
    """Whether a run's model weighs frames over time by learnt scores."""
    pooling = record.recipe.model.model_dump().get("pooling", "")
    return str(pooling).startswith("attention")


def choose_clips(true: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of at most :data:`RIGHT` correct and :data:`WRONG` wrong predictions, the most probable first.

    Rows of emotions that are not among the chosen ones come before others.
    """
    predicted = probabilities.argmax(axis=1)
    by_confidence = np.argsort(-probabilities.max(axis=1), kind="stable")
    chosen: list[int] = []
    for right, most in ((True, RIGHT), (False, WRONG)):
        rows = [row for row in by_confidence.tolist() if (true[row] == predicted[row]) == right]
        firsts = list({int(true[row]): row for row in reversed(rows)}.values())
        ordered = sorted(firsts, key=rows.index) + [row for row in rows if row not in firsts]
        chosen += ordered[:most]
    return np.array(chosen, dtype=np.int64)


def weigh_steps(network: nn.Module, x: Tensor, valid_frames: Tensor) -> list[NDArray[np.float64]]:
    """Weights over the valid steps of each clip, (steps,) float64; they sum to 1.

    ``x`` (B, 1, C, T) is normalised input. Several sets of weights are averaged. ``network`` must have one
    attention pooling and be in evaluation mode.
    """
    found: list[tuple[Tensor, Tensor]] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, Tensor], _: Tensor) -> None:
        if isinstance(module, AttentionPooling | FrameStatistics):
            weights = module.weights(*inputs)
            found.append((weights if weights.ndim == 2 else weights.mean(dim=2), inputs[1]))

    poolings = [one for one in network.modules() if isinstance(one, AttentionPooling | FrameStatistics)]
    handles = [pooling.register_forward_hook(keep) for pooling in poolings]
    try:
        with torch.inference_mode():
            network(x, valid_frames)
    finally:
        for handle in handles:
            handle.remove()
    ((weights, steps),) = found
    rows = weights.double().cpu().numpy()
    return [row[:count] for row, count in zip(rows, steps.tolist(), strict=True)]


def shown_feature(spec: StoreSpec, features: tuple[str, ...]) -> str:
    """The feature to show beside weights: mel if it is stored, otherwise the model's first."""
    return "mel" if "mel" in spec.coefficients else features[0]


def frame_s(spec: StoreSpec, feature: str) -> float:
    """Seconds from one frame of ``feature`` to the next."""
    own = {one.name: one for one in spec.encoders}
    if feature in own:
        return _encoder_frame_s(own[feature])
    if feature in {one.name for one in spec.imported}:
        return spec.length / spec.audio.sample_rate / spec.shapes[feature][1]
    return spec.spectral.hop_length / spec.audio.sample_rate


def frames_per_step(spec: ModelSpec) -> int:
    """Frames of the input per step of the pooling: convolutions pool over time."""
    return spec.frames_per_step if isinstance(spec, ConvolutionSpec) else 1


def _encoder_frame_s(encoder: EncoderSpec) -> float:
    return encoder.stride * encoder.known_architecture.hop / ENCODER_RATE


def _weights_of(
    model: TrainedModel, store: FeatureStore, some: Samples, device: torch.device, hardware: Hardware
) -> list[NDArray[np.float64]]:
    record = model.record
    source = sources_of(record, store, {"test": some}, device, hardware, SilentObserver())["test"]
    network, normaliser = model.network(device)
    found: list[NDArray[np.float64]] = []
    with float32_products(tf32=record.recipe.train.tf32), torch.inference_mode():
        for batch in source.in_order(len(some)):
            x = normaliser(batch.features, batch.valid_frames)
            found += weigh_steps(network, x, batch.valid_frames)
    return found
