"""The linear classifier of a finished run; reading it needs no store."""

from __future__ import annotations

from schemas.errors import RunError
from training.linear.classifier import LinearClassifier
from training.runs.hashes import is_listed
from training.runs.request import resume_command
from training.runs.run import RunFolder


def load_classifier(folder: RunFolder) -> LinearClassifier:
    """The classifier of a finished run. Raises :class:`RunError` if it has none."""
    if folder.linear.exists() and not is_listed(folder.path, folder.linear.name):
        raise RunError(f"{folder.path} is not finished; resume it with: {resume_command(folder.path, None)}")
    return LinearClassifier.load(folder.linear)
