"""All steps of a session, most valuable first."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from gpu.session import Session, Tell

Work = Callable[[Session, Tell], None]


@dataclass(frozen=True)
class Step:
    """A step: ``work`` is ``module:function`` of this package, imported in the step's own process.

    ``expected`` : seconds that it should take on a GPU; without as many left it is skipped. ``limit`` :
    seconds after which it is ended.
    """

    name: str
    work: str
    expected: float
    limit: float

    def load(self) -> Work:
        """Import the function."""
        module, _, function = self.work.partition(":")
        work: Work = getattr(importlib.import_module(f"gpu.{module}"), function)
        return work


STEPS = (
    Step("install", "machine:install", 5, 60),
    Step("machine", "machine:describe", 8, 40),
    Step("gpu tests", "machine:run_tests", 25, 60),
    Step("parity", "computing:compare_with_cpu", 15, 60),
    Step("views per second", "computing:measure_speed", 15, 60),
    Step("waits", "computing:find_waits", 10, 40),
    Step("build with default features", "building:build_default", 25, 90),
    Step("build with all features", "building:build_all", 25, 90),
    Step("verify", "building:verify", 10, 40),
    Step("training by graphs in 32", "training:graphs_32", 40, 75),
    Step("training without graphs in 32", "training:eager_32", 40, 75),
    Step("training by graphs in bf16", "training:graphs_bf16", 40, 75),
    Step("training without graphs in bf16", "training:eager_bf16", 40, 75),
    Step("graphs equal eager", "results:graphs_equal_eager", 15, 60),
    Step("stop and resume", "results:stop_and_resume", 15, 60),
    Step("homes with graphs", "results:homes_with_graphs", 20, 60),
    Step("other commands", "results:other_commands", 20, 60),
    Step("bf16 against 32", "results:bf16_against_32", 20, 60),
    Step("capture that fails", "results:failed_capture", 10, 40),
    Step("DALI", "decoding:compare_decoders", 10, 40),
    Step("DALI's operators", "decoding:compare_operators", 10, 40),
    Step("build on the CPU", "building:build_on_cpu", 25, 90),
    Step("plain peer", "training:plain_peer", 20, 60),
)
