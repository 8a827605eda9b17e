"""``ser-features``: the commands of the store, and ``audit``, which needs the protocols of training."""

from __future__ import annotations

from featurestore.cli.app import app
from featurestore.cli.console import Command
from training.cli.audit import audit

app.command(cls=Command)(audit)


def main() -> None:
    """Entry point of ``ser-features``."""
    app()
