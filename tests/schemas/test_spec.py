import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.errors import UnknownNameError
from schemas.features import FEATURE_KINDS, ChromaSpec, MelSpec, MfccSpec, RmsSpec, named_features
from schemas.model import canonical_json
from schemas.spec import AudioSpec, SpectralSpec, StorageSpec, StoreSpec
from schemas.views import NoiseSpec, PitchSpec, span

SPEC = StoreSpec(features=(MelSpec(), MfccSpec()), views=(PitchSpec(name="up", semitones=2),))


def test_digest_is_the_hash_of_sorted_compact_json() -> None:
    text = json.dumps(json.loads(SPEC.model_dump_json()), sort_keys=True, separators=(",", ":"))
    assert SPEC.digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_digest_survives_a_round_trip_and_follows_every_field() -> None:
    assert StoreSpec.model_validate_json(SPEC.model_dump_json()).digest == SPEC.digest
    others = [
        SPEC.model_copy(update={"seed": 1}),
        SPEC.model_copy(update={"audio": AudioSpec(trim_db=30)}),
        SPEC.model_copy(update={"storage": StorageSpec(dtype="float32")}),
        SPEC.model_copy(update={"views": (PitchSpec(name="up", semitones=1),)}),
    ]
    assert len({SPEC.digest, *(other.digest for other in others)}) == len(others) + 1


def test_canonical_json_keeps_letters_and_refuses_nan() -> None:
    assert canonical_json({"b": "ß", "a": 1.0}) == '{"a":1.0,"b":"ß"}'
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))


def test_three_seconds_at_22050_are_130_frames() -> None:
    assert SPEC.length == 66_150
    assert SPEC.frames == 130
    assert SPEC.view_names == ("original", "up")


@given(samples=st.integers(0, 70_000), hop=st.sampled_from([160, 256, 512]))
def test_valid_frames_are_those_centred_before_the_end(samples: int, hop: int) -> None:
    spec = StoreSpec(spectral=SpectralSpec(hop_length=hop), features=(MelSpec(),))
    assert spec.valid_frames(samples) == sum(frame * hop < samples for frame in range(spec.frames))


@pytest.mark.parametrize(
    "broken",
    [
        {"features": ()},
        {"features": ({"kind": "mel"}, {"kind": "mel", "n_mels": 64})},
        {"features": ({"kind": "mfcc", "n_mfcc": 200},)},
        {"features": ({"kind": "mel"},), "spectral": {"n_fft": 2047}},
        {"features": ({"kind": "mel"},), "spectral": {"n_fft": 256, "hop_length": 512}},
        {"features": ({"kind": "mel"},), "audio": {"duration_s": 0.01}},
        {"features": ({"kind": "mel"},), "views": ({"kind": "pitch", "name": "original", "semitones": 1},)},
        {"features": ({"kind": "mel"},), "views": ({"kind": "noise", "name": "n", "snr_db": (30, 10)},)},
        {"features": ({"kind": "mel"},), "views": ({"kind": "noise", "name": "../n", "snr_db": (1, 2)},)},
        {"features": ({"kind": "mel"},), "audio": {"duration_s": 3.0, "frames": 130}},
        {"features": ({"kind": "mel"},), "audio": {"duration_s": None}},
        {"features": ({"kind": "mel"},), "audio": {"frames": 3}},
        {"features": ({"kind": "mel"},), "audio": {"frames": 20_001}},
        {"features": ({"kind": "mel"},), "audio": {"duration_s": 61.0}},
        {"features": ({"kind": "mel"},), "audio": {"min_duration_s": 2, "max_duration_s": 1}},
        {"features": ({"kind": "mel", "n_mels": 40},), "spectral": {"n_fft": 64, "hop_length": 64}},
        {"features": ({"kind": "delta"},)},
        {"features": ({"kind": "mfcc"}, {"kind": "delta", "width": 8})},
        {"features": ({"kind": "mfcc"}, {"kind": "delta2", "width": 129}), "audio": {"frames": 100}},
        {"features": ({"kind": "chroma", "tuning": 0.7},)},
        {"features": ({"kind": "mel"},), "views": ({"kind": "shift", "name": "s", "fraction": 1.5},)},
        {"features": ({"kind": "mel"},), "views": ({"kind": "speed", "name": "s", "factor": (0.4, 1)},)},
        {"features": ({"kind": "mel"},), "views": ({"kind": "stretch", "name": "s", "factor": 2.5},)},
        {"features": ({"kind": "mel"},), "views": ({"kind": "pitch", "name": "p", "semitones": (2, -2)},)},
        {"features": ({"kind": "mel"},), "colour": "red"},
    ],
)
def test_contradictions_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StoreSpec.model_validate(broken)


def test_specifications_do_not_change() -> None:
    with pytest.raises(ValidationError):
        SPEC.seed = 3  # type: ignore[misc]


def test_parameters_are_fixed_or_a_range() -> None:
    assert NoiseSpec(name="n", snr_db=20).snr_db == 20
    assert NoiseSpec(name="n", snr_db=(20, 25)).snr_db == (20, 25)
    assert span(NoiseSpec(name="n", snr_db=20).snr_db) == (20, 20)


def test_a_number_of_frames_fixes_the_length() -> None:
    spec = StoreSpec(audio=AudioSpec(frames=216), features=(MelSpec(),))
    assert (spec.frames, spec.length) == (216, 215 * 512)
    assert StoreSpec.model_validate_json(spec.model_dump_json()) == spec


def test_features_by_name_keep_the_recipes_parameters() -> None:
    listed = (MelSpec(n_mels=64), RmsSpec())
    assert named_features("rms, mel", listed) == (RmsSpec(), MelSpec(n_mels=64))
    assert named_features("chroma", listed) == (ChromaSpec(),)
    assert [feature.kind for feature in named_features("all", listed)] == list(FEATURE_KINDS)
    assert named_features("all", listed)[0] == MelSpec(n_mels=64)
    message = "unknown feature 'melt'; did you mean 'mel'\\? choose all, or a comma-separated list from mel"
    with pytest.raises(UnknownNameError, match=message):
        named_features("mel,melt", listed)


def test_coefficients_and_columns_follow_the_order_of_the_features() -> None:
    spec = StoreSpec(features=named_features("rms,delta,mfcc,chroma", (MfccSpec(n_mfcc=13),)))
    assert spec.coefficients == {"rms": 1, "delta": 13, "mfcc": 13, "chroma": 12}
    assert spec.signal_columns == {
        "rms": slice(0, 1),
        "delta": slice(1, 14),
        "mfcc": slice(14, 27),
        "chroma": slice(27, 39),
    }


@pytest.mark.parametrize("codec", ["bitround", "fixed"])
def test_rounding_codecs_take_float32_alone(codec: str) -> None:
    assert StorageSpec.model_validate({"codec": codec, "dtype": "float32"}).codec == codec
    for asked in ({"codec": codec}, {"codec": codec, "dtype": "float16"}):
        with pytest.raises(ValidationError, match=f"codec {codec} rounds float32 .*add --dtype float32"):
            StorageSpec.model_validate(asked)


def test_lossless_codecs_take_both_types() -> None:
    for codec in ("zstd", "blosc", "none"):
        for dtype in ("float16", "float32"):
            assert StorageSpec.model_validate({"codec": codec, "dtype": dtype}).dtype == dtype
    with pytest.raises(ValidationError, match="'zstd', 'blosc', 'none', 'bitround' or 'fixed'"):
        StorageSpec.model_validate({"codec": "lz4"})
