import os
from pathlib import Path

import pytest

from data.files import holds_audio, walk
from schemas.errors import CorpusNotFoundError


def test_audio_is_told_by_its_suffix_in_any_case_and_sorted(tree) -> None:
    root = tree("b/x.WAV", "b/a.Flac", "c.mp3", "d.ogg", "e.aif", "f.AIFF", "g.txt", "h.mp4", "i.OPUS")
    found = walk(root)
    assert found.audio == ("b/a.Flac", "b/x.WAV", "c.mp3", "d.ogg", "e.aif", "f.AIFF", "i.OPUS")
    assert found.other == ("g.txt", "h.mp4")


def test_hidden_files_and_the_litter_of_macos_are_left_out(tree) -> None:
    root = tree(
        "a.wav", "._a.wav", ".DS_Store", ".git/b.wav", "__MACOSX/._a.wav", "__MACOSX/c.wav", "B.ZARR/d.wav"
    )
    found = walk(root)
    assert (found.audio, found.other, found.unreadable) == (("a.wav",), (), ())


def test_a_link_back_into_the_tree_adds_nothing_and_ends(tree) -> None:
    root = tree("b/a.wav")
    (root / "a-link-that-sorts-first").symlink_to(root / "b", target_is_directory=True)
    (root / "b" / "up").symlink_to(root, target_is_directory=True)
    assert walk(root).audio == ("b/a.wav",)


def test_a_linked_folder_elsewhere_is_entered_once(tree) -> None:
    elsewhere = tree("a.wav", root="disk")
    root = tree("x.txt")
    (root / "one").symlink_to(elsewhere, target_is_directory=True)
    (root / "two").symlink_to(elsewhere, target_is_directory=True)
    assert walk(root).audio == ("one/a.wav",)


def test_what_cannot_be_read_is_told(tree) -> None:
    root = tree("a.wav")
    (root / "gone.wav").symlink_to(root / "nowhere.wav")
    os.mkfifo(root / "pipe.wav")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.wav")).touch()
    told = {item.path: item.reason for item in walk(root).unreadable}
    assert told["gone.wav"] == "a link that leads nowhere"
    assert told["pipe.wav"] == "not a regular file"
    assert "UTF-8" in told["\\xff.wav"]
    assert walk(root).audio == ("a.wav",)


@pytest.mark.parametrize("name", ["absent", "file.txt"])
def test_a_root_that_is_no_folder_is_refused(tree, name: str) -> None:
    root = tree("file.txt")
    with pytest.raises(CorpusNotFoundError, match=name):
        walk(root / name)
    assert not holds_audio(root / name)


def test_audio_is_found_at_any_depth(tree) -> None:
    assert holds_audio(tree("a/b/c/d.wav"))
    assert not holds_audio(tree("a/b/c.csv", ".hidden.wav", root="tables"))


def test_names_that_are_not_utf_8_are_found_beside_what_cannot_be_read(tree) -> None:
    root = tree("a.wav")
    for name in (b"/\xff.wav", b"/\xff.txt", b"/\xfe/b.wav"):
        path = Path(os.fsdecode(os.fsencode(root) + name))
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = walk(root)
    assert [os.fsencode(path) for path in found.misnamed] == [b"\xfe/b.wav", b"\xff.wav"]
    assert {item.path for item in found.unreadable} == {"\\xff.wav", "\\xff.txt", "\\xfe/b.wav"}
    assert found.audio == ("a.wav",)
