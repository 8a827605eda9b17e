"""Workers need temporary files and semaphores; without room for them there is one sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from featurestore.cluster.client import dask_client
from featurestore.cluster.request import ClusterRequest
from featurestore.cluster.scratch import require_scratch
from schemas.errors import StorageError
from tests.featurestore.test_interrupted_builds import small_disk
from training.web.server import isolate_gradio

__all__ = ["small_disk"]


def test_a_usual_machine_has_room_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    require_scratch()
    assert [*tmp_path.iterdir()] == []


def test_a_full_temporary_folder_is_one_sentence(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 8192))
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    sentence = rf"temporary files in {small_disk}: the disk is full; free some space, or set TMPDIR"
    with pytest.raises(StorageError, match=sentence), dask_client(ClusterRequest(workers=1), "cpu"):
        pass
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_temporary_folder_that_is_gone_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    for need in (require_scratch, isolate_gradio().__enter__):
        with pytest.raises(StorageError, match=r"the folder does not exist.*set TMPDIR to another folder"):
            need()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    with pytest.raises(StorageError, match=r"there is no folder for temporary files.*set TMPDIR"):
        require_scratch()


@pytest.mark.parametrize(
    ("prepare", "cause"),
    [
        (
            "mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero > /dev/shm/x",
            "the disk is full",
        ),
        ("mount -t tmpfs -o ro none /dev/shm", "the file system is read-only"),
    ],
)
def test_no_room_for_semaphores_is_one_sentence(prepare: str, cause: str) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a mount of one process needs root and unshare")
    program = "from featurestore.cluster.scratch import require_scratch\nrequire_scratch()"
    command = ["unshare", "-m", "sh", "-c", f'{prepare} && exec "$0" -c "$1"', sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"cannot mount in a namespace: {done.stderr.strip()}")
    last = done.stderr.strip().splitlines()[-1]
    assert f"StorageError: cannot create semaphores in /dev/shm: {cause}; mount it with free space" in last
