"""Memory and cores that a process may use, in fake trees of /proc and /sys."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from featurestore.build import BuildRequest
from pipelines import process
from pipelines.machine import available_memory, usable_cores
from pipelines.process import usable_jobs
from training.loader import memory

GIB = 2**30
NO_LIMIT_V1 = 9223372036854771712
V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n"
V1 = (
    "30 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs ro,mode=755\n"
    "31 30 0:28 {at} /sys/fs/cgroup/cpu,cpuacct rw master:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:29 {at} /sys/fs/cgroup/memory rw shared:3 master:2 - cgroup cgroup rw,memory\n"
    "33 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


@pytest.fixture(autouse=True)
def large_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 cores and 500 GiB, of which 400 are available; no cgroup yet."""
    cores = "process_cpu_count" if sys.version_info >= (3, 13) else "sched_getaffinity"
    monkeypatch.setattr(os, cores, (lambda: 64) if cores == "process_cpu_count" else lambda _: set(range(64)))
    write(
        tmp_path,
        {"proc/meminfo": f"MemTotal: {500 * 2**20} kB\nMemFree: 9 kB\nMemAvailable: {400 * 2**20} kB\n"},
    )


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def version_2(root: Path, group: str, files: dict[str, str]) -> None:
    """The process is in ``group``, and files of groups are ``files``."""
    write(root, {"proc/self/cgroup": f"0::{group}\n", "proc/self/mountinfo": V2})
    write(root, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})


def version_1(root: Path, group: str, files: dict[str, str], at: str = "/") -> None:
    """The same in a hybrid tree; ``at`` is the group that is mounted, as in a container."""
    lines = f"12:cpu,cpuacct:{group}\n8:memory:{group}\n1:name=systemd:/init\n0::/init\n"
    write(root, {"proc/self/cgroup": lines, "proc/self/mountinfo": V1.format(at=at)})
    (root / "sys/fs/cgroup/unified").mkdir(parents=True)
    write(root, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})


def test_without_limits_the_host_decides(tmp_path: Path) -> None:
    assert (available_memory(tmp_path), usable_cores(tmp_path)) == (400 * GIB, 64)
    version_2(tmp_path, "/", {"cgroup.controllers": "cpu memory\n"})
    assert (available_memory(tmp_path), usable_cores(tmp_path)) == (400 * GIB, 64)


def test_a_container_of_version_2_has_its_limit_less_its_usage(tmp_path: Path) -> None:
    version_2(
        tmp_path,
        "/",
        {"memory.max": f"{8 * GIB}\n", "memory.current": f"{GIB}\n", "cpu.max": "200000 100000\n"},
    )
    assert (available_memory(tmp_path), usable_cores(tmp_path)) == (7 * GIB, 2)


def test_page_cache_does_not_count_as_used(tmp_path: Path) -> None:
    stat = f"anon {GIB}\nfile {7 * GIB}\ninactive_anon {GIB}\nactive_file {GIB}\ninactive_file {6 * GIB}\n"
    files = {"memory.max": f"{8 * GIB}\n", "memory.current": f"{8 * GIB - 4096}\n", "memory.stat": stat}
    version_2(tmp_path, "/", files)
    assert available_memory(tmp_path) == 6 * GIB + 4096


@pytest.mark.parametrize(("high", "free"), [("max", 7), (str(4 * GIB), 3)])
def test_a_soft_limit_counts_too(high: str, free: int, tmp_path: Path) -> None:
    files = {"memory.max": f"{8 * GIB}\n", "memory.high": f"{high}\n", "memory.current": f"{GIB}\n"}
    version_2(tmp_path, "/", files)
    assert available_memory(tmp_path) == free * GIB


def test_the_tightest_group_on_the_way_up_decides(tmp_path: Path) -> None:
    files = {
        "cpu.max": "max 100000\n",
        "a/memory.max": f"{8 * GIB}\n",
        "a/memory.current": f"{6 * GIB}\n",
        "a/cpu.max": "350000 100000\n",
        "a/b/memory.max": "max\n",
        "a/b/memory.current": f"{GIB}\n",
        "a/b/cpu.max": "max 100000\n",
        "a/b/c/memory.max": f"{4 * GIB}\n",
        "a/b/c/memory.current": f"{GIB}\n",
        "a/b/c/cpu.max": "800000 100000\n",
        "other/memory.max": "1\n",
        "other/cpu.max": "1000 100000\n",
    }
    version_2(tmp_path, "/a/b/c", files)
    assert available_memory(tmp_path) == 2 * GIB
    assert usable_cores(tmp_path) == 4  # 3.5, rounded up


@pytest.mark.parametrize("group", ["/docker/8f", "/"])
def test_a_container_of_version_1_has_its_limit_less_its_usage(group: str, tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": f"{8 * GIB}\n",
        "memory/memory.usage_in_bytes": f"{7 * GIB}\n",
        "memory/memory.stat": f"inactive_file {GIB}\ntotal_inactive_file {5 * GIB}\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    version_1(tmp_path, group, files, at=group)
    assert available_memory(tmp_path) == 6 * GIB
    assert usable_cores(tmp_path) == 1


def test_nested_groups_of_version_1(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": f"{NO_LIMIT_V1}\n",
        "memory/memory.usage_in_bytes": f"{90 * GIB}\n",
        "memory/slurm/memory.limit_in_bytes": f"{16 * GIB}\n",
        "memory/slurm/memory.usage_in_bytes": f"{2 * GIB}\n",
        "memory/slurm/job/memory.limit_in_bytes": f"{NO_LIMIT_V1}\n",
        "memory/slurm/job/memory.usage_in_bytes": f"{GIB}\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/slurm/cpu.cfs_quota_us": "600000\n",
        "cpu,cpuacct/slurm/cpu.cfs_period_us": "100000\n",
    }
    version_1(tmp_path, "/slurm/job", files)
    assert available_memory(tmp_path) == 14 * GIB
    assert usable_cores(tmp_path) == 6


def test_version_1_without_limits(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": f"{NO_LIMIT_V1}\n",
        "memory/memory.usage_in_bytes": f"{90 * GIB}\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    version_1(tmp_path, "/", files)
    assert (available_memory(tmp_path), usable_cores(tmp_path)) == (400 * GIB, 64)


def test_a_group_that_is_not_below_the_mount_is_taken_as_the_mount_itself(tmp_path: Path) -> None:
    version_2(tmp_path, "/../other", {"memory.max": f"{8 * GIB}\n", "memory.current": f"{GIB}\n"})
    assert available_memory(tmp_path) == 7 * GIB


def test_mount_points_with_blanks_are_found(tmp_path: Path) -> None:
    version_2(tmp_path, "/a", {})
    write(tmp_path, {"proc/self/mountinfo": V2.replace("/sys/fs/cgroup", r"/my\040groups")})
    write(tmp_path, {"my groups/a/memory.max": f"{3 * GIB}\n", "my groups/a/memory.current": "0\n"})
    assert available_memory(tmp_path) == 3 * GIB


def test_the_usual_folder_is_read_if_mountinfo_names_none_that_exists(tmp_path: Path) -> None:
    write(tmp_path, {"sys/fs/cgroup/memory.max": f"{GIB}\n", "sys/fs/cgroup/memory.current": "0\n"})
    assert available_memory(tmp_path) == GIB
    write(tmp_path, {"proc/self/mountinfo": V2.replace("/sys/fs/cgroup", "/gone")})
    assert available_memory(tmp_path) == GIB


@pytest.mark.parametrize("text", ["", "many\n", "12 x\n"])
def test_what_cannot_be_read_is_no_limit(text: str, tmp_path: Path) -> None:
    version_2(tmp_path, "/", {"memory.max": text, "memory.current": text, "cpu.max": text})
    assert (available_memory(tmp_path), usable_cores(tmp_path)) == (400 * GIB, 64)


def test_a_group_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    version_2(tmp_path, "/", {"memory.max": "1000\n", "memory.current": "1200\n", "cpu.max": "10 100000\n"})
    assert (available_memory(tmp_path), usable_cores(tmp_path)) == (0, 1)


def test_without_proc_half_of_the_memory_counts(tmp_path: Path) -> None:
    (tmp_path / "proc/meminfo").unlink()
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available_memory(tmp_path) == physical // 2


def test_this_machine_has_memory_and_cores() -> None:
    assert available_memory() > 0
    assert usable_cores() >= 1


def test_a_build_in_a_small_container_on_a_large_host_starts_few_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_2(tmp_path, "/pod", {"pod/memory.max": f"{8 * GIB}\n", "pod/memory.current": f"{2 * GIB}\n"})
    assert usable_jobs(tmp_path) == 6
    write(tmp_path, {"sys/fs/cgroup/pod/cpu.max": "300000 100000\n"})
    assert usable_jobs(tmp_path) == 3
    monkeypatch.setattr(process, "available_memory", lambda _: available_memory(tmp_path))
    monkeypatch.setattr(process, "usable_cores", lambda _: usable_cores(tmp_path))
    assert BuildRequest(tmp_path / "store.zarr", tmp_path, "demo").jobs == 3


def test_samples_take_half_of_what_the_container_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version_2(tmp_path, "/", {"memory.max": f"{8 * GIB}\n", "memory.current": f"{2 * GIB}\n"})
    monkeypatch.setattr(memory, "available_memory", lambda: available_memory(tmp_path))
    assert memory.default_budget() == 3 * GIB
