import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.features import MelSpec, MfccSpec
from schemas.model import canonical_json
from schemas.spec import AudioSpec, SpectralSpec, StorageSpec, StoreSpec
from schemas.views import NoiseSpec, PitchSpec

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
        {"features": ({"kind": "mel"},), "colour": "red"},
    ],
)
def test_contradictions_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StoreSpec.model_validate(broken)


def test_specifications_do_not_change() -> None:
    with pytest.raises(ValidationError):
        SPEC.seed = 3  # type: ignore[misc]


def test_snr_of_one_value_is_a_range() -> None:
    assert NoiseSpec(name="n", snr_db=(20, 20)).snr_db == (20, 20)
