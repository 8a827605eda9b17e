"""One step in a process of its own: ``python -m gpu.run_step NAME SESSION FIGURES``.

SESSION is JSON, as :func:`gpu_session.describe` writes it; figures are added to the file FIGURES, one JSON
object per line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gpu.session import Session
from gpu.steps import STEPS


def session_of(text: str) -> Session:
    """The session that JSON describes."""
    fields: dict[str, Any] = json.loads(text)
    paths = ("scratch", "recordings", "wheels")
    return Session(**{name: Path(v) if name in paths and v is not None else v for name, v in fields.items()})


def main() -> None:
    """Run the step."""
    name, session, figures = sys.argv[1:]
    (step,) = (step for step in STEPS if step.name == name)
    with Path(figures).open("a", encoding="utf-8") as file:

        def tell(figure: str, value: object) -> None:
            file.write(json.dumps({figure: value}) + "\n")
            file.flush()

        step.load()(session_of(session), tell)


if __name__ == "__main__":
    main()
