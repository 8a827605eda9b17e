"""Make the golden store, runs and answers again, with today's code: ``python -m tests.golden.make``.

Run it only when an answer is meant to change, and look at ``git diff`` before it is committed.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.golden.answers import (
    ANSWERS,
    RUNS,
    STORE,
    TRAININGS,
    build_stores,
    export,
    prepare,
    read_all,
    train,
    train_again,
)
from tests.golden.arithmetic import arithmetic
from tests.golden.commands import working_in
from tests.golden.objects import object_files

_KEPT = (
    ".csv",
    ".json",
    ".safetensors",
)
"""Files of a run that later commands read; pictures, pages and texts are written for people."""


def main() -> None:
    """Write store, runs and answers next to this module, or to the folder that the command line names."""
    to = Path(sys.argv[1] if len(sys.argv) > 1 else STORE.parent).resolve()
    with tempfile.TemporaryDirectory() as temporary, working_in(Path(temporary).resolve()):
        answers = make(to)
    text = json.dumps(answers, indent=0, ensure_ascii=False, allow_nan=False)
    (to / ANSWERS.name).write_text(f"{text}\n", encoding="utf-8")


def make(to: Path) -> dict[str, Any]:
    """Make everything in the empty working folder, and keep store and runs in ``to``; returns the answers."""
    answers = {"built": dict(build_stores(prepare(Path())))}
    keep(Path("built"), to / STORE.name)
    shutil.copytree(to / STORE.name, "store")
    for name in TRAININGS:
        _, made = train(name)
        keep(made, to / RUNS.name / name)
    shutil.copytree(to / RUNS.name, "runs")
    answers["trained"] = dict(train_again())
    answers["read"] = dict(read_all())
    answers["exported"] = dict(export())
    return {"arithmetic": arithmetic(), **answers}


def keep(made: Path, to: Path) -> None:
    """Copy a store, or the files of a run that are read later."""
    shutil.rmtree(to, ignore_errors=True)
    is_store = (made / "store.json").is_file()
    for path in object_files(made):
        if is_store or path.suffix in _KEPT:
            target = to / path.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


if __name__ == "__main__":
    main()
