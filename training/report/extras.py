"""Pictures, texts and pages beside a finished result."""

from __future__ import annotations

from collections.abc import Callable

from schemas.errors import SerError
from training.runs.run import RunFolder


class Extras:
    """Writes files that show a result which is already written; one that fails is reported and left out."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._problems: list[str] = []

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each file that could not be made or written."""
        return tuple(self._problems)

    def write(self, name: str, make: Callable[[], bytes | str]) -> None:
        """Write what ``make`` returns as ``name``."""
        try:
            content = make()
            self._folder.write_bytes(name, content.encode() if isinstance(content, str) else content)
        except Exception as error:  # noqa: BLE001 whatever a picture fails by, the result is complete
            self._problems.append(
                f"{self._folder.path / name} could not be written ({_explain(error)}); the result is "
                f"complete without it"
            )


def _explain(error: Exception) -> str:
    if isinstance(error, SerError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"unexpected {type(error).__name__}"
