"""``ser-features``: the commands of the store, and those that know runs: ``push``, ``pull``, ``audit``."""

from __future__ import annotations

from featurestore.cli.app import app
from featurestore.cli.console import Command
from training.cli.commands.audit import audit
from training.cli.commands.share import pull, push

for _command in (push, pull, audit):
    app.command(cls=Command)(_command)
