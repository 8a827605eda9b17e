"""Headers with a wrong length: all samples are read, and nothing else."""

import struct
from collections.abc import Callable

import numpy as np
import pytest

from pipelines.decode import UnusableRecordingError, decode
from schemas.spec import AudioSpec
from tests.pipelines.recording.encodings import RATE, encode

AUDIO = AudioSpec(sample_rate=RATE)
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf61.7.100\0\0"
ANNO = b"ANNO" + struct.pack(">I", 12) + b"made by hand"
ID3V1 = b"TAG" + bytes(125)

SetSize = Callable[[bytes, int], bytes]
"""Sets the size of the samples that a header announces."""


def _field(at: bytes, skip: int, form: str, extra: int = 0) -> SetSize:
    def set_size(data: bytes, size: int) -> bytes:
        changed = bytearray(data)
        place = data.index(at) + skip
        width = struct.calcsize(form)
        value = (size + extra) % 256**width
        changed[place : place + width] = struct.pack(form, value)
        return bytes(changed)

    return set_size


CONTAINERS: dict[str, tuple[SetSize, int]] = {
    "WAV": (_field(b"data", 4, "<I"), 2**32 - 1),
    "WAVEX": (_field(b"data", 4, "<I"), 0x7FFFF000),
    "RF64": (_field(b"ds64", 16, "<Q"), 2**64 - 1),
    "W64": (_field(b"data\xf3\xac", 16, "<Q", 24), 2**64 - 25),
    "AIFF": (_field(b"SSND", 4, ">I", 8), 2**32 - 9),
    "AU": (_field(b".snd", 8, ">I"), 2**32 - 1),
    "CAF": (_field(b"data", 4, ">Q", 4), 2**64 - 5),
    "SVX": (_field(b"BODY", 4, ">I"), 2**32 - 1),
}
"""Container → how its size is set, and the size that means unknown."""


@pytest.fixture(params=CONTAINERS)
def container(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_unknown_length_means_up_to_the_end(container: str) -> None:
    data = encode(container, "PCM_16")
    set_size, unknown = CONTAINERS[container]
    whole = decode(data, AUDIO)
    streamed = decode(set_size(data, unknown), AUDIO)
    assert np.array_equal(streamed.samples, whole.samples)
    assert streamed.note == ""


def test_a_length_of_0_means_up_to_the_end_with_a_note(container: str) -> None:
    data = encode(container, "PCM_16")
    recording = decode(CONTAINERS[container][0](data, 0), AUDIO)
    assert np.array_equal(recording.samples, decode(data, AUDIO).samples)
    assert recording.note == "the header announces 0 bytes of samples, the file holds 16000"


def test_a_length_that_is_a_little_too_large_costs_a_note(container: str) -> None:
    data = encode(container, "PCM_16")
    for announced in (16_001, 16_002, 16_003, 16_008, 16_036, 16_044, 16_078):
        recording = decode(CONTAINERS[container][0](data, announced), AUDIO)
        assert np.array_equal(recording.samples, decode(data, AUDIO).samples)
        assert recording.note == f"the header announces {announced} bytes of samples, the file holds 16000"


def test_a_length_that_is_much_too_large_is_a_truncated_file(container: str) -> None:
    data = encode(container, "PCM_16")
    with pytest.raises(UnusableRecordingError, match="truncated: the header announces 20000 bytes") as raised:
        decode(CONTAINERS[container][0](data, 20_000), AUDIO)
    assert (raised.value.duration_s, raised.value.sample_rate, raised.value.channels) == (1.0, RATE, 1)


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
def test_a_length_that_is_a_little_too_small_costs_no_sample(kind: str) -> None:
    data = encode(kind, "PCM_16")
    for announced in (15_999, 15_998, 15_992, 15_956):
        recording = decode(CONTAINERS[kind][0](data, announced), AUDIO)
        assert np.array_equal(recording.samples, decode(data, AUDIO).samples)
        assert recording.note == f"the header announces {announced} bytes of samples, the file holds 16000"


@pytest.mark.parametrize(
    ("kind", "behind"),
    [("WAV", LIST), ("WAVEX", LIST), ("RF64", LIST), ("AIFF", ANNO), ("WAV", LIST + LIST), ("WAV", ID3V1)],
)
def test_what_lies_behind_the_samples_is_not_heard(kind: str, behind: bytes) -> None:
    data = encode(kind, "PCM_16")
    set_size, unknown = CONTAINERS[kind]
    for announced in (unknown, 0, 16_010, 16_000):
        recording = decode(set_size(data + behind, announced), AUDIO)
        assert np.array_equal(recording.samples, decode(data, AUDIO).samples)


@pytest.mark.parametrize("size", [2**64 - 25, 0, 16_000])
def test_chunks_behind_wave64_are_not_heard(size: int) -> None:
    data = encode("W64", "PCM_16")
    guid = data[data.index(b"data\xf3\xac") :][4:16]
    fact = b"fact" + guid + struct.pack("<QQ", 32, 8000)
    assert len(data) % 8 == 0
    recording = decode(CONTAINERS["W64"][0](data + fact, size), AUDIO)
    assert np.array_equal(recording.samples, decode(data, AUDIO).samples)


def test_a_byte_that_pads_streamed_samples_of_8_bits_is_not_heard() -> None:
    data = encode("WAV", "PCM_U8", 8001)
    streamed = CONTAINERS["WAV"][0](data[: data.index(b"data") + 8 + 8001] + b"\0" + LIST, 2**32 - 1)
    recording = decode(streamed, AUDIO)
    assert recording.duration_s == 8001 / RATE
    assert np.array_equal(recording.samples, decode(data, AUDIO).samples)


def test_an_empty_chunk_of_samples_before_other_chunks_is_empty() -> None:
    data = encode("WAV", "PCM_16")
    head = data[: data.index(b"data") + 4]
    with pytest.raises(UnusableRecordingError, match=r"^no samples \(0 s\)$"):
        decode(head + bytes(4) + LIST, AUDIO)


@pytest.mark.parametrize("codec", ["FLOAT", "ULAW", "ALAW", "PCM_24", "MS_ADPCM", "IMA_ADPCM", "GSM610"])
def test_codecs_with_other_headers_are_streamed_too(codec: str) -> None:
    data = encode("WAV", codec)
    for announced in (0, 2**32 - 1):
        recording = decode(CONTAINERS["WAV"][0](data, announced), AUDIO)
        assert np.array_equal(recording.samples, decode(data, AUDIO).samples)


def test_an_aiff_from_a_pipe_counts_nothing_in_its_header() -> None:
    data = bytearray(encode("AIFF", "PCM_16"))
    whole = decode(bytes(data), AUDIO)
    data[4:8] = bytes(4)
    common, samples = data.index(b"COMM"), data.index(b"SSND")
    data[common + 10 : common + 14] = bytes(4)
    data[samples + 4 : samples + 8] = bytes(4)
    assert np.array_equal(decode(bytes(data), AUDIO).samples, whole.samples)


@pytest.mark.parametrize(
    ("tag", "name"), [(0x0064, "G.726"), (0x00FF, "AAC"), (0x0161, "WMA"), (0x1234, "the codec 0x1234")]
)
def test_a_codec_that_is_not_decoded_is_named_with_a_command(tag: int, name: str) -> None:
    data = bytearray(encode("WAV", "PCM_16"))
    at = data.index(b"fmt ") + 8
    data[at : at + 2] = struct.pack("<H", tag)
    with pytest.raises(UnusableRecordingError) as raised:
        decode(bytes(data), AUDIO)
    assert f"a WAV file with {name}, which is not read; convert it to WAV: ffmpeg -i FILE." in str(
        raised.value
    )


def test_a_shortened_sphere_file_is_named_with_a_command() -> None:
    data = encode("NIST", "PCM_16").replace(b"-s3 pcm\n", b"-s26 pcm,embedded-shorten-v2.00\n", 1)
    with pytest.raises(
        UnusableRecordingError, match="a SPHERE file with Shorten, which is not read; convert it"
    ):
        decode(data, AUDIO)
