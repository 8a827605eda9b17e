"""Memory and cores that this process may use, within the limits of its control groups.

Both versions of control groups are read: https://docs.kernel.org/admin-guide/cgroup-v2.html and
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html. Limits are inherited, so every group from the
process's own up to the mounted root counts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")
_USUAL_MOUNT = "sys/fs/cgroup"
_MEMBERSHIP = re.compile(r"^[0-9]+:([^:]*):(.*)$", re.MULTILINE)
_MOUNT = re.compile(r"^\S+ \S+ \S+ (\S+) (\S+) .*- (cgroup2?) \S* (\S*)$", re.MULTILINE)
"""Mounted group, mount point, type and options (proc_pid_mountinfo(5))."""

_NO_LIMIT_V1 = 2**62
"""Version 1 writes "no limit" as the largest number of whole pages, just below 2**63."""


def available_memory(root: Path = _ROOT) -> int:
    """Bytes that can be allocated without swapping; page cache that can be dropped counts as available.

    The minimum of MemAvailable in ``/proc/meminfo`` and of limit - usage of every control group. Without
    ``/proc/meminfo``, half of the physical memory takes the place of MemAvailable.

    Parameters
    ----------
    root
        Folder that holds ``proc`` and ``sys``.
    """
    groups = _groups(root, "memory")
    free = (_free_in_group(group) for group in groups)
    return min([_available_on_host(root), *(memory for memory in free if memory is not None)])


def usable_cores(root: Path = _ROOT) -> int:
    """Cores that this process may keep busy, at least 1.

    The minimum of the cores that its affinity allows and of the CPU quota of every control group, rounded up.
    """
    quotas = (_quota_of_group(group) for group in _groups(root, "cpu"))
    return max(1, min([_allowed_cores(), *(cores for cores in quotas if cores is not None)]))


def _available_on_host(root: Path) -> int:
    """Bytes, before any limit of a control group."""
    kilobytes = _entry(root / "proc/meminfo", "MemAvailable:")
    if kilobytes is not None:
        return kilobytes * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _allowed_cores() -> int:
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _free_in_group(group: Path) -> int | None:
    """Bytes below the limit of ``group``, None if it has no limit.

    As in ``docker stats``, pages of files that were not used recently do not count as used.
    """
    limits = [_number(group / name) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
    limit = min((limit for limit in limits if limit is not None), default=_NO_LIMIT_V1)
    if limit >= _NO_LIMIT_V1:
        return None
    if (group / "memory.limit_in_bytes").exists():
        usage, cache = _number(group / "memory.usage_in_bytes"), "total_inactive_file"
    else:
        usage, cache = _number(group / "memory.current"), "inactive_file"
    used = (usage or 0) - (_entry(group / "memory.stat", cache) or 0)
    return max(0, limit - max(0, used))


def _quota_of_group(group: Path) -> int | None:
    """Cores that ``group`` may use, rounded up; None if it has no quota."""
    version_1 = f"{_text(group / 'cpu.cfs_quota_us')} {_text(group / 'cpu.cfs_period_us')}"
    numbers = re.fullmatch(r"([0-9]+) ([1-9][0-9]*)", _text(group / "cpu.max") or version_1)
    return None if numbers is None else -(-int(numbers[1]) // int(numbers[2]))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that limit this process, each from its own up to the mounted root."""
    memberships = _memberships(root, controller)
    for version, mounted, folder in _mounts(root, controller):
        group = memberships.get(version, "/")
        above = f"{mounted.rstrip('/')}/"
        below = group.removeprefix(above) if group.startswith(above) else ""
        names = [name for name in below.split("/") if name]
        if ".." in names:  # a group outside the namespace of this process
            names = []
        for depth in range(len(names), -1, -1):
            yield folder.joinpath(*names[:depth])


def _memberships(root: Path, controller: str) -> dict[str, str]:
    """Group of this process by type of mount, from ``/proc/self/cgroup``."""
    found = {}
    for controllers, group in _MEMBERSHIP.findall(_text(root / "proc/self/cgroup")):
        if not controllers:
            found["cgroup2"] = group
        elif controller in controllers.split(","):
            found["cgroup"] = group
    return found


def _mounts(root: Path, controller: str) -> list[tuple[str, str, Path]]:
    """Type, mounted group and folder of each mount of ``controller``, from ``/proc/self/mountinfo``."""
    mounts = []
    for mounted, point, kind, options in _MOUNT.findall(_text(root / "proc/self/mountinfo")):
        if kind == "cgroup2" or (kind == "cgroup" and controller in options.split(",")):
            mounts.append((kind, _unescape(mounted), root / _unescape(point).lstrip("/")))
    existing = [mount for mount in mounts if mount[2].is_dir()]
    return existing or [("cgroup2", "/", root / _USUAL_MOUNT)]


def _unescape(field: str) -> str:
    r"""Field of mountinfo with its blanks, which are written as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), field)


def _entry(path: Path, key: str) -> int | None:
    """Number after ``key`` in a file of one key per line."""
    for line in _text(path).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == key and words[1].isdecimal():
            return int(words[1])
    return None


def _number(path: Path) -> int | None:
    """Number in a file; None if there is none, as with ``max``."""
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    """Content of a file, empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
