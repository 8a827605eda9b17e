"""Recordings are hashed again only where they may have changed.

Whether a file is read is seen from outside: a process of its own notes every file that Python opens there.
"""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from featurestore.plan.known_hashes import load
from featurestore.plan.recordings import hash_recordings
from featurestore.progress import Silent
from featurestore.read.cache_folder import cache_folder
from pipelines.recording.source import FileSource
from schemas.clip import Scan
from schemas.errors import StorageError
from tests.featurestore.plan.hashing import HOUR_S, REPOSITORY, read_again, scan_corpus, sha256

pytestmark = pytest.mark.usefixtures("cache")

NAMES = ["a.wav", "b.wav", "c.wav"]

REPEATED = """
import pickle, sys, time
from featurestore.progress import Silent
from featurestore.plan.recordings import hash_recordings
scan, ahead_s = pickle.load(sys.stdin.buffer)
real = time.time_ns
time.time_ns = lambda: real() + ahead_s * 10**9
for turn in range(30):
    clips = hash_recordings(scan, Silent(), trust=bool(turn % 2))
print(len({clip.audio_sha256 for clip in clips}))
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with three recordings that differ, made just now."""
    root = tmp_path / "corpus"
    root.mkdir()
    for name in NAMES:
        (root / name).write_bytes(name.encode() * 1000)
    return root


def cached(cache: Path) -> Path:
    (file,) = (cache / "recordings").iterdir()
    return file


class TestUnchanged:
    def test_recordings_are_read_once_and_then_not_again(self, corpus: Path) -> None:
        assert read_again(corpus) == NAMES
        assert read_again(corpus) == []

    def test_without_trust_they_are_read(self, corpus: Path) -> None:
        assert read_again(corpus) == NAMES
        assert read_again(corpus, trust=False) == NAMES
        assert read_again(corpus) == []

    def test_a_corpus_is_known_by_another_path_to_it(self, corpus: Path, tmp_path: Path) -> None:
        read_again(corpus)
        (tmp_path / "link").symlink_to(corpus)
        assert read_again(tmp_path / "link") == []

    def test_another_corpus_with_the_same_names_is_another(self, corpus: Path, tmp_path: Path) -> None:
        read_again(corpus)
        other = tmp_path / "other"
        other.mkdir()
        (other / "a.wav").write_bytes(b"other")
        assert read_again(other) == ["a.wav"]
        assert read_again(corpus) == []

    @pytest.mark.usefixtures("an_hour_later")
    def test_clips_come_in_the_order_of_the_scan(self, corpus: Path) -> None:
        read_again(corpus)
        (corpus / "b.wav").write_bytes(b"changed")
        for clips in (hash_recordings(scan_corpus(corpus), Silent()) for _ in range(2)):
            assert [c.file for c in clips] == [corpus / name for name in ("c.wav", "b.wav", "a.wav")]
            assert [c.audio_sha256 for c in clips] == [sha256(c.file) for c in clips]

    @pytest.mark.usefixtures("an_hour_later")
    def test_progress_runs_to_the_number_of_clips(self, corpus: Path) -> None:
        read_again(corpus)
        (corpus / "b.wav").write_bytes(b"changed")
        counted = Counted()
        hash_recordings(scan_corpus(corpus), counted)
        assert counted.done == counted.total == len(NAMES)

    @pytest.mark.usefixtures("an_hour_later")
    def test_a_stopped_build_keeps_what_it_has_hashed(self, corpus: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            hash_recordings(scan_corpus(corpus), Counted(stop_at=2))
        assert read_again(corpus) == ["a.wav"]


class Counted:
    """Progress that counts, and is stopped by Ctrl-C at a number of clips."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.done = self.total = 0
        self.stop_at = stop_at

    @contextmanager
    def task(self, description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        self.total = total
        yield self._advance

    def _advance(self, count: int) -> None:
        self.done += count
        if self.done == self.stop_at:
            raise KeyboardInterrupt


def in_place(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"!")


def in_place_with_mtime_restored(file: Path) -> None:
    before = file.stat()
    in_place(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_mtime_ns, file.stat().st_size) == (before.st_mtime_ns, before.st_size)


def by_another_file_of_its_size_and_mtime(file: Path) -> None:
    before, other = file.stat(), file.with_name("new")
    other.write_bytes(b"!" * before.st_size)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


def by_a_link_to_another_file(file: Path) -> None:
    outside = file.parents[1] / "outside"
    outside.write_bytes(b"!" * file.stat().st_size)
    file.unlink()
    file.symlink_to(outside)


class TestChanged:
    @pytest.mark.parametrize(
        "change",
        [
            in_place,
            in_place_with_mtime_restored,
            by_another_file_of_its_size_and_mtime,
            by_a_link_to_another_file,
        ],
    )
    def test_a_changed_recording_is_read_again_and_it_alone(
        self, change: Callable[[Path], None], corpus: Path
    ) -> None:
        read_again(corpus)
        time.sleep(0.02)  # the clock of file times advances by up to 10 ms at once
        change(corpus / "b.wav")
        assert read_again(corpus) == ["b.wav"]
        assert read_again(corpus) == []

    def test_a_removed_recording_is_forgotten_and_a_new_one_is_read(self, corpus: Path, cache: Path) -> None:
        read_again(corpus)
        (corpus / "a.wav").rename(corpus / "d.wav")
        assert read_again(corpus) == ["d.wav"]
        assert json.loads(cached(cache).read_bytes().split(b"\n")[1])["paths"] == ["c.wav", "b.wav", "d.wav"]

    @pytest.mark.usefixtures("an_hour_later")
    def test_a_recording_that_cannot_be_read_any_more_has_no_hash(self, corpus: Path) -> None:
        read_again(corpus)
        scan = scan_corpus(corpus)
        (corpus / "a.wav").unlink()
        (corpus / "b.wav").unlink()
        (corpus / "b.wav").mkdir()
        hashes = {c.clip.path: c.audio_sha256 for c in hash_recordings(scan, Silent())}
        assert hashes == {"a.wav": None, "b.wav": None, "c.wav": sha256(corpus / "c.wav")}

    @pytest.mark.usefixtures("an_hour_later")
    def test_a_recording_that_is_written_while_it_is_hashed_is_read_again(
        self, corpus: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = FileSource.sha256

        def digest_then_write(source: FileSource) -> str:
            digest = real(source)
            in_place(corpus / "b.wav")
            return digest

        time.sleep(0.02)
        with monkeypatch.context() as patched:
            patched.setattr(FileSource, "sha256", digest_then_write)
            hash_recordings(Scan("x", corpus, scan_corpus(corpus).clips[1:2]), Silent())
        assert "b.wav" in read_again(corpus)


class TestRacy:
    """Where a later change could leave size, times and inode as they are, no hash is kept."""

    def test_a_recording_is_read_until_its_last_change_is_two_seconds_old(self, corpus: Path) -> None:
        for after_s in (0, 1, 1.9):
            assert read_again(corpus, after_s) == NAMES
        assert read_again(corpus, 2.1) == NAMES
        assert read_again(corpus, 2.1) == []

    def test_an_old_mtime_does_not_make_a_change_of_just_now_old(self, corpus: Path) -> None:
        for name in NAMES:
            os.utime(corpus / name, ns=(0, 0))
        assert read_again(corpus, 0) == NAMES
        assert read_again(corpus, 0) == NAMES

    def test_a_recording_of_the_future_is_always_read(self, corpus: Path) -> None:
        later = time.time_ns() + 2 * HOUR_S * 10**9
        os.utime(corpus / "a.wav", ns=(later, later))
        assert read_again(corpus) == NAMES
        assert read_again(corpus) == ["a.wav"]

    def test_once_the_clock_is_put_back_what_was_hashed_before_is_read(self, corpus: Path) -> None:
        assert read_again(corpus) == NAMES
        assert read_again(corpus, -HOUR_S) == NAMES

    def test_times_beyond_those_of_64_bits_of_nanoseconds(self, corpus: Path) -> None:
        read_again(corpus)
        for year in (1600, 2400):
            os.utime(corpus / "a.wav", ((year - 1970) * 31_556_952,) * 2)
            assert read_again(corpus) == ["a.wav"]


class TestCache:
    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: b"",
            lambda data: data[:-1],
            lambda data: data[: len(data) // 2],
            lambda data: b"\xff" * len(data),
            lambda data: data.split(b"\n")[1],
            lambda data: signed(data, b"[]"),
            lambda data: signed(data, b"{}"),
            lambda data: signed(data, data.split(b"\n")[1].replace(b'"c.wav",', b"")),
            lambda data: signed(data, data.split(b"\n")[1].replace(b'"format":"1"', b'"format":"0"')),
        ],
        ids=["empty", "cut", "half", "noise", "no hash", "a list", "no columns", "too short", "other format"],
    )
    def test_a_damaged_cache_is_made_anew(
        self, damage: Callable[[bytes], bytes], corpus: Path, cache: Path
    ) -> None:
        read_again(corpus)
        whole = cached(cache).read_bytes()
        cached(cache).write_bytes(damage(whole))
        assert read_again(corpus) == NAMES
        assert cached(cache).read_bytes() == whole

    def test_a_single_flipped_bit_gives_no_wrong_hash(self, corpus: Path, cache: Path) -> None:
        read_again(corpus)
        whole = cached(cache).read_bytes()
        for place in range(0, len(whole), 7):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            cached(cache).write_bytes(damaged)
            assert load(corpus) == {}
        assert damaged != whole

    def test_a_cache_that_cannot_be_written_or_read_is_no_error(
        self, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        for folder in (tmp_path / "file", Path("/proc/nowhere")):
            monkeypatch.setenv("SER_CACHE", str(folder))
            assert read_again(corpus) == NAMES
            assert read_again(corpus) == NAMES

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
    def test_a_read_only_cache_folder_is_no_error(self, corpus: Path, cache: Path) -> None:
        (cache / "recordings").mkdir(parents=True)
        (cache / "recordings").chmod(0o500)
        assert read_again(corpus) == NAMES
        (cache / "recordings").chmod(0o700)
        assert read_again(corpus) == NAMES

    def test_a_folder_under_the_name_of_the_cache_is_no_error(self, corpus: Path, cache: Path) -> None:
        read_again(corpus)
        name = cached(cache)
        name.unlink()
        name.mkdir()
        (name / "file").touch()
        assert read_again(corpus) == NAMES
        assert list((cache / "recordings").iterdir()) == [name]

    def test_processes_at_the_same_time_never_leave_or_see_half_a_cache(
        self, corpus: Path, cache: Path
    ) -> None:
        for number in range(300):
            (corpus / f"{number}.wav").write_bytes(f"{number}".encode())
        read_again(corpus)
        whole = load(corpus)
        scans = [Scan("x", corpus, scan_corpus(corpus).clips[:count]) for count in (250, 303)]
        command = [sys.executable, "-c", REPEATED]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY)
            for _ in scans
        ]
        for process, scan in zip(running, scans, strict=True):
            assert process.stdin is not None
            process.stdin.write(pickle.dumps((scan, HOUR_S)))
            process.stdin.close()
        seen = set()
        while any(process.poll() is None for process in running):
            known = load(corpus)
            assert known
            assert known.items() <= whole.items()
            seen.add(len(known))
        assert [int(process.stdout.read()) for process in running if process.stdout] == [250, 303]
        assert [path.suffix for path in (cache / "recordings").iterdir()] == [".json"]
        assert len(seen) > 1

    def test_what_killed_processes_left_behind_goes_after_a_day(self, corpus: Path, cache: Path) -> None:
        read_again(corpus)
        old, new = (cached(cache).with_name(f"{cached(cache).name}.{n}.partial") for n in ("old", "new"))
        old.touch()
        new.touch()
        os.utime(old, (0, 0))
        in_place(corpus / "a.wav")
        read_again(corpus)
        assert new.exists()
        assert not old.exists()

    def test_it_tells_nothing_of_where_the_corpus_is(self, corpus: Path, cache: Path) -> None:
        read_again(corpus)
        assert str(corpus.parent).encode() not in cached(cache).read_bytes()
        assert "corpus" not in str(cached(cache).relative_to(cache))

    def test_its_place_is_the_users_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert cache_folder() == tmp_path / "cache"
        monkeypatch.delenv("SER_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert cache_folder() == tmp_path / "xdg" / "ser-features"
        monkeypatch.setenv("SER_CACHE", "")
        assert cache_folder() == tmp_path / "xdg" / "ser-features"

    @pytest.mark.parametrize("found", [RuntimeError("no home"), Path("~/.cache/ser-features")])
    def test_without_a_home_folder_nothing_is_kept(
        self, found: RuntimeError | Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Releases of platformdirs differ: they raise, or leave the ``~`` as it is."""

        def of_platformdirs(name: str) -> Path:
            if isinstance(found, RuntimeError):
                raise found
            return found

        monkeypatch.delenv("SER_CACHE")
        monkeypatch.chdir(corpus)
        monkeypatch.setattr("featurestore.read.cache_folder.user_cache_path", of_platformdirs)
        with pytest.raises(StorageError, match="SER_CACHE"):
            cache_folder()
        hashes = {c.clip.path: c.audio_sha256 for c in hash_recordings(scan_corpus(corpus), Silent())}
        assert hashes == {name: sha256(corpus / name) for name in NAMES}
        assert sorted(path.name for path in corpus.iterdir()) == NAMES


def signed(data: bytes, body: bytes) -> bytes:
    """Another body under a hash that is right."""
    assert body != data.split(b"\n")[1]
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body
