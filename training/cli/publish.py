"""Publish what ``ser-train`` has trained."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from featurestore.cli.console import ConsoleProgress
from schemas.errors import RunError, SerError, StoppedError

if TYPE_CHECKING:
    from training.campaign import Outcome
    from training.sharing.push_run import RunPushReport


def publish_outcome(outcome: Outcome, url: str | None) -> tuple[RunPushReport | None, SerError | None]:
    """Publish a finished run or series; returns the report, or the error to raise after its result is shown.

    Neither if there is no ``url``.
    """
    if url is None:
        return None, None
    from training.sharing.push_run import push_run

    command = f"ser-features push {shlex.quote(str(outcome.path))} {shlex.quote(url)}"
    try:
        return push_run(outcome.path, url, ConsoleProgress()), None
    except StoppedError:
        return None, StoppedError(
            f"stopped; the {outcome.kind} is finished, but not published; resume with: {command}"
        )
    except SerError as error:
        return None, RunError(
            f"the {outcome.kind} is finished, but could not be published: {error}; try again with: {command}"
        )
