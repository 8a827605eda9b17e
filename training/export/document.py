"""``MODEL.json``: what an engineer needs in addition to the graph, in any language."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from pipelines.quantise import FIXED_STEPS
from schemas.encoders import ENCODER_RATE, EncoderSpec
from schemas.labels import LabelSet, Target
from schemas.model import Model
from schemas.spec import AudioSpec, SpectralSpec, StoreSpec
from training.export.vector import Chirp


class ExportedFile(Model):
    """A file next to this one."""

    name: str
    sha256: str


class Tensor(Model):
    """An input or output of the graph; a named dimension may have any size."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    meaning: str


class FeatureRows(Model):
    """A feature and its rows among the coefficients: ``first`` up to, not including, ``stop``."""

    kind: str
    first: int
    stop: int
    parameters: dict[str, float | int | None]
    definition: str
    step: float | None = None
    """Step between the values that the store keeps; None: it keeps the full precision of its dtype."""


class EmotionOf(Model):
    """An emotion and the classes whose probabilities are summed for it."""

    name: str
    classes: tuple[int, ...]


class Result(Model):
    """Test result of the run; null: not known, or not of this kind of model."""

    protocol: str | None
    ua: float | None
    ccc: float | None = None
    """Mean over the dimensions of a regression."""
    interval: tuple[float, float] | None
    level: float | None
    warning: str | None

    @model_serializer(mode="wrap")
    def _omit_ccc(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialise(self)
        if self.ccc is None:  # of a classifier, which never had this field
            del values["ccc"]
        return values


class Origin(Model):
    """The training that the graph comes from."""

    recipe: str
    model: str
    created: str
    seed: int
    store_digest: str
    versions: dict[str, str]


class OnnxCheck(Model):
    """Difference between graph and model, measured with onnxruntime before writing."""

    batch_sizes: tuple[int, ...]
    tolerance: float
    largest_difference: float


class TestVector(Model):
    """A sound and the expected output; ``file`` holds all arrays as NumPy's npz."""

    sound: Chirp
    valid_frames: int
    probabilities: tuple[float, ...]
    emotions: tuple[float, ...]
    values: tuple[float, ...] = ()
    """Of a regression, whose other outputs are empty."""
    file: ExportedFile


class EncoderFile(Model):
    """The graph of a pretrained encoder, from a waveform to one of the features."""

    feature: str
    """Name of the feature among ``features``."""
    file: ExportedFile
    licence: str | None
    """Licence of the weights, which the file holds; null: not known."""
    source: str | None
    """Where the weights are published, on Hugging Face; null: not known."""
    specification: EncoderSpec
    """Architecture, hash of the weights, layers, pooling and window."""
    samples: tuple[int, int]
    """Fewest and most samples that the graph accepts."""
    input: Tensor
    output: Tensor
    check: OnnxCheck
    """``largest_difference`` is a share of the largest value."""


class ExportDocument(Model):
    """Content of ``MODEL.json``."""

    format: Literal[1] = 1
    onnx: ExportedFile
    opset: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    classes: tuple[str, ...]
    emotions: tuple[EmotionOf, ...]
    dimensions: tuple[str, ...] = ()
    """Of a regression, in the order of its values; it has no classes and emotions."""
    audio: AudioSpec
    length: int
    """Samples of the window."""
    steps: tuple[str, ...]
    """From recording to features."""
    spectral: SpectralSpec
    frames: int
    stored_as: str
    features: tuple[FeatureRows, ...]
    encoders: tuple[EncoderFile, ...] = ()
    """Graphs of the features that pretrained encoders compute; empty for features of the signal."""
    result: Result
    trained: Origin
    exported_with: dict[str, str]
    check: OnnxCheck
    test_vector: TestVector


def steps_of(spec: StoreSpec, names: tuple[str, ...]) -> tuple[str, ...]:
    """Steps from a recording to the features ``names``, in order: of encoders, or of the signal."""
    audio = spec.audio
    steps = [
        "decode to float32 in -1 ... 1; mean of the channels",
        f"resample to {audio.sample_rate} Hz (soxr, quality HQ)",
    ]
    if audio.trim_db is not None:
        steps.append(
            f"trim: librosa.effects.trim(y, top_db={audio.trim_db:g}), frames of 2048 samples, hop 512"
        )
    if audio.normalise == "peak":
        steps.append("divide by the largest magnitude")
    rounding = {
        "bitround": "float32 with 13 bits of mantissa",
        "fixed": "float32 in steps of a fixed size, `step` of each feature below",
    }
    stored = rounding.get(spec.storage.codec, spec.storage.dtype)
    last = f"round to {stored}, as the store does, then float32 (without this, probabilities change slightly)"
    if set(names) <= {feature.name for feature in spec.encoders}:
        if spec.audio.sample_rate != ENCODER_RATE:
            steps.append(f"resample to {ENCODER_RATE} Hz (windowed sinc, passes up to 0.88 of Nyquist)")
        return (
            *steps,
            f"cut to {spec.length / spec.audio.sample_rate:g} s; do not pad",
            "features by the graphs of `encoders`, each (rows, frames); stack their rows in this order",
            last,
            "valid_frames = 1 for pooled features; otherwise the frames of the graph, and zeros after them",
        )
    return (
        *steps,
        f"cut to {spec.length} samples, or pad with zeros to that length",
        "features as below, of the padded window, each (rows, frames); stack their rows in this order",
        last,
        "valid_frames = min(frames, 1 + (samples before padding - 1) // hop_length)",
    )


def rows_of(spec: StoreSpec, names: tuple[str, ...]) -> tuple[FeatureRows, ...]:
    """Rows of the features ``names`` of ``spec`` in their order, and how librosa 0.11 computes them."""
    listed = {feature.name: feature for feature in spec.features}
    encoders = {feature.name: feature for feature in spec.encoders}
    n_fft, hop, rate = spec.spectral.n_fft, spec.spectral.hop_length, spec.audio.sample_rate
    framing = f"n_fft={n_fft}, hop_length={hop}"
    mel = "librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr={rate}, {framing}, n_mels={n_mels}))"
    found, first = [], 0
    for name in names:
        if name in encoders:
            stop = first + encoders[name].coefficients
            found.append(_encoder_rows(encoders[name], first, stop))
            first = stop
            continue
        parameters = listed[name].model_dump(exclude={"kind"})
        match name:
            case "mel":
                text = mel.format(rate=rate, framing=framing, **parameters) + ", dB re 1.0, floor max - 80"
            case "mfcc":
                bands = mel.format(rate=rate, framing=framing, n_mels=parameters["n_mels"])
                text = f"librosa.feature.mfcc(S={bands}, n_mfcc={parameters['n_mfcc']}): orthonormal DCT-II"
            case "delta" | "delta2":
                order = 1 if name == "delta" else 2
                text = f"librosa.feature.delta(mfcc, width={parameters['width']}, order={order})"
            case "chroma":
                tuning = parameters["tuning"]
                text = (
                    f"librosa.feature.chroma_stft(y=y, sr={rate}, {framing}, n_chroma="
                    f"{parameters['n_chroma']}, tuning={tuning}); tuning None: estimated from each clip"
                )
            case "rms":
                text = f"librosa.feature.rms(y=y, frame_length={n_fft}, hop_length={hop})"
            case _:
                text = f"librosa.feature.zero_crossing_rate(y, frame_length={n_fft}, hop_length={hop})"
        stop = first + spec.coefficients[name]
        found.append(
            FeatureRows(
                kind=name,
                first=first,
                stop=stop,
                parameters=parameters,
                definition=text,
                step=FIXED_STEPS[name] if spec.storage.codec == "fixed" else None,
            )
        )
        first = stop
    return tuple(found)


def _encoder_rows(feature: EncoderSpec, first: int, stop: int) -> FeatureRows:
    layers = ", ".join(map(str, feature.all_layers))
    statistics = f"; {', '.join(feature.statistics)} over the frames of each" if feature.statistics else ""
    return FeatureRows(
        kind=feature.name,
        first=first,
        stop=stop,
        parameters={"width": feature.known_architecture.width, "stride": feature.stride},
        definition=f"hidden states {layers} of a pretrained encoder{statistics}, as its graph gives them",
    )


def emotions_of(labels: LabelSet, target: Target) -> tuple[EmotionOf, ...]:
    """Emotions of a label set, each with the classes that are summed for it."""
    count, classes = len(labels.classes), len(labels.class_names(target))
    return tuple(
        EmotionOf(name=str(emotion), classes=tuple(range(i, classes, count)))
        for i, emotion in enumerate(labels.classes)
    )
