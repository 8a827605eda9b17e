"""Description of the machine, and the folder of results."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipelines.machine import usable_cores

RESULTS = Path(__file__).resolve().parent / "results"


def machine() -> dict[str, Any]:
    """Processor, cores, memory and versions of the main libraries."""
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    import torch

    return {
        "processor": processor,
        "cores": usable_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "libraries": {
            name: found
            for name in ("torch", "numpy", "librosa", "zarr")
            if (found := _installed_version(name)) is not None
        },
    }


def _installed_version(name: str) -> str | None:
    """The version of a library; None without it, as machines with a GPU may lack those of the tests."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/<name>.json`` with the machine's description."""
    return write_document(name, {"machine": machine(), **result})


def write_document(name: str, document: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/<name>.json`` as it is, for rows that each name their machine."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path
