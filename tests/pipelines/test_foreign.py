"""Files that are no readable recording, whatever their name says: what they are, and the next step."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from pipelines.decode import UnusableRecordingError, decode
from schemas.spec import AudioSpec
from tests.pipelines.speech import encoded, tone


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.wav", bytes(100))
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("a.wav")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    return file.getvalue()


def _id3(size: int) -> bytes:
    return b"ID3\x03\x00\x00\x00\x00\x00" + bytes([size]) + bytes(size)


_ADTS = b"\xff\xf1\x50\x80\x2e\x7f\xfc" + bytes(range(256)) * 4
_G729 = (
    b"RIFF\x64\0\0\0WAVEfmt \x12\0\0\0\x83\0\x01\0\x40\x1f\0\0\xe8\3\0\0\x0a\0\0\0\0\0data\x0a\0\0\0"
    + bytes(10)
)

SOUNDS = {
    "m4a": (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(400), "MPEG-4 sound"),
    "m4a after another brand": (b"\0\0\0\x1cftypmp42\0\0\0\0M4A isommp42" + bytes(400), "MPEG-4 sound"),
    "mp4": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(400), "an MPEG-4 or QuickTime file"),
    "mov": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(400), "an MPEG-4 or QuickTime file"),
    "3gp": (b"\0\0\0\x18ftyp3gp4\0\0\0\x003gp4isom" + bytes(300), "a 3GPP file"),
    "aac": (_ADTS, "AAC sound"),
    "aac behind a tag": (_id3(10) + _ADTS, "AAC sound"),
    "webm": (b"\x1aE\xdf\xa3\x01\0\0\0webm" + bytes(300), "a WebM or Matroska file"),
    "amr": (b"#!AMR\n" + bytes(range(100)), "AMR sound"),
    "amr wideband": (b"#!AMR-WB\n" + bytes(range(100)), "AMR sound"),
    "wma": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100), "Windows Media sound"),
    "avi": (b"RIFF\0\0\0\0AVI LIST" + bytes(100), "a video file"),
    "speex": (b"OggS\0\2" + bytes(20) + b"\1\x50Speex   1.2" + bytes(100), "Speex sound"),
    "g.729 in wav": (_G729, "a WAV file with G.729"),
    "aac in caf": (
        b"caff\0\1\0\0desc\0\0\0\0\0\0\0\x20" + bytes(8) + b"aac " + bytes(100),
        "a CAF file with AAC",
    ),
    "wavpack": (b"wvpk" + bytes(100), "WavPack sound"),
    "monkey's audio": (b"MAC \x96\x0f" + bytes(100), "Monkey's Audio sound"),
}

OTHERS = {
    "git lfs pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 50001\n",
        "a Git LFS pointer; in its Git repository run: git lfs pull",
    ),
    "git-annex pointer": (b"/annex/objects/SHA256E-s1--ab.wav\n", "git annex get"),
    "html page": (b"\n <!DOCTYPE html><html><body>Log in</body></html>", "an HTML page"),
    "html page with a mark": (b"\xef\xbb\xbf<HTML>", "an HTML page"),
    "xml of a server": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "json of a server": (b'{"message": "Not Found"}', "a JSON document"),
    "text of a server": (b"404: Not Found", "a text file that begins with '404: Not Found'"),
    "text in UTF-16": ("Guten Tag".encode("utf-16"), "a text file that begins with 'Guten Tag'"),
    "long text": (b"This is not a recording.\n" * 5000, "a text file that begins with 'This is not"),
    "zip": (_zip(), "a ZIP archive; unpack it"),
    "tar": (_tar(), "a tar archive; unpack it"),
    "gzip": (gzip.compress(encoded(tone(440, 0.5), 22_050)), "a gzip archive; unpack it"),
    "bzip2": (bz2.compress(bytes(100)), "a bzip2 archive; unpack it"),
    "xz": (lzma.compress(bytes(100)), "an xz archive; unpack it"),
    "7z": (b"7z\xbc\xaf'\x1c" + bytes(100), "a 7z archive; unpack it"),
    "zeros": (bytes(400), "nothing but zeros (400 bytes)"),
    "many zeros": (bytes(100_000), "nothing but zeros (100,000 bytes)"),
    "appledouble": (b"\0\5\26\7\0\2\0\0Mac OS X        " + bytes(60), "an AppleDouble file of macOS"),
    "picture": (b"\xff\xd8\xff\xe0" + bytes(100), "a JPEG picture"),
    "document": (b"%PDF-1.4\n" + bytes(100), "a PDF document"),
}


def _problem(data: bytes) -> str:
    with pytest.raises(UnusableRecordingError) as refused:
        decode(data, AudioSpec())
    return str(refused.value)


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_that_is_not_read_is_named_with_the_command_that_converts_it(name: str) -> None:
    data, what = SOUNDS[name]
    problem = _problem(data)
    assert problem.startswith(what)
    assert "convert it to WAV: ffmpeg -i FILE." in problem
    assert "not readable as audio" not in problem


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_sound_is_named(name: str) -> None:
    data, what = OTHERS[name]
    assert what in _problem(data)
    assert _problem(data).startswith("not readable as audio: ")


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF", "OGG", "CAF", "AU", "W64", "NIST"])
@pytest.mark.parametrize("kept", [1, 4, 5, 12, 20])
def test_the_start_of_a_recording_is_not_taken_for_another_kind_of_file(kind: str, kept: int) -> None:
    problem = _problem(encoded(tone(440, 0.5), 22_050, kind)[:kept])
    assert "text file" not in problem or kept < 4
    assert "ffmpeg" not in problem
