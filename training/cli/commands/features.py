"""``ser-features``: the commands of the store, and ``audit``, which needs the protocols of training."""

from __future__ import annotations

from featurestore.cli.app import app
from featurestore.cli.console import Command
from training.cli.commands.audit import audit

app.command(cls=Command)(audit)
