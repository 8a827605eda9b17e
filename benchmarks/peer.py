"""Runs one peer: ``python benchmarks/peer.py NAME PROCESSES FILE…`` prints its time."""

from __future__ import annotations

import importlib
import json
import sys
import time
import warnings
from pathlib import Path


def main() -> None:
    """Warm up, run once and print the time."""
    name, processes, files = sys.argv[1], int(sys.argv[2]), [Path(file) for file in sys.argv[3:]]
    warnings.filterwarnings("ignore")
    module = importlib.import_module(f"peers.{name}")
    if hasattr(module, "prepare"):
        with module.prepare(processes) as go:
            started = time.perf_counter()
            views = go(files)
            seconds = time.perf_counter() - started
    else:
        module.run([files[0], files[-1]])
        started = time.perf_counter()
        views = module.run(files)
        seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "views": views, "name": module.NAME, "does": module.DOES}))


if __name__ == "__main__":
    main()
