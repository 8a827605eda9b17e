"""``ser-predict --explain``: a picture per recording of how the prediction changes if parts are hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.cli.console import err, note
from featurestore.cli.paths import STDIN
from schemas.errors import RecordingError, UsageError
from schemas.messages.printable import escape_line
from training.cli.hear import note_unheard_end
from training.cli.recordings import read_recording
from training.cli.rows import PredictionWriter

if TYPE_CHECKING:
    from pipelines.recording.source import RecordingFile
    from training.explain.occlusion import Occlusion
    from training.predict.ensemble import Ensemble

_ENDING = "-explained.png"


@dataclass(frozen=True)
class HidingRequest:
    """Pictures to write, and the size of the parts to hide."""

    pictures: tuple[Path, ...]
    """One per recording."""
    window_s: float
    bands: int


def plan_pictures(names: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """Picture of each recording in ``folder``: ``clip-explained.png``; equal names get a number.

    Raises :class:`UsageError` for one that exists, or a folder within a feature store.
    """
    from featurestore.format.outside import require_outside

    require_outside(folder, "--out")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; give a folder for the pictures")
    pictures: dict[Path, None] = {}
    for name in names:
        stem = "standard-input" if name == STDIN else Path(name).stem
        possible = (f"{stem}{'' if number == 1 else f'-{number}'}" for number in count(1))
        free = (folder / f"{each}{_ENDING}" for each in possible)
        pictures[next(picture for picture in free if picture not in pictures)] = None
    for picture in pictures:
        if picture.exists():
            raise UsageError(f"{picture} exists; remove it, or choose another folder with --out")
    return tuple(pictures)


def explain_recordings(
    model: Ensemble,
    writer: PredictionWriter,
    names: Sequence[str],
    request: HidingRequest,
    advance: Callable[[int], None],
) -> int:
    """Write the prediction and the picture of each recording; returns how many could not be read."""
    failed = 0
    for name, picture in zip(names, request.pictures, strict=True):
        problem = _explain(model, writer, name, picture, request)
        if problem:
            failed += 1
            err.print(f"{escape_line(name)}: {escape_line(problem)}", markup=False)
            writer.write_problem(name, problem)
        advance(1)
    return failed


def _explain(
    model: Ensemble, writer: PredictionWriter, name: str, picture: Path, request: HidingRequest
) -> str:
    """Write what is found for one recording; returns why it cannot be read, or an empty text."""
    from training.explain.occlusion import occlude
    from training.predict.predictor import TooLongError

    try:
        file: RecordingFile = read_recording(name)
        prediction = model.predict(file)
        found = occlude(model, file, request.window_s, request.bands)
    except TooLongError as error:
        return (
            f"{error.duration_s:.6g} s long, but --explain covers one prediction of at most "
            f"{error.longest_s:g} s; cut the recording"
        )
    except RecordingError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except MemoryError:
        return "needs more memory than is free; give a shorter recording, or free memory"
    writer.write_prediction(name, prediction)
    note_unheard_end(name, model, prediction, "Cut the recording to explain the rest")
    _write(picture, found, name)
    writer.write_explanation(name, picture, found.to_json())
    note(f"{name}: wrote {picture}")
    return ""


def _write(picture: Path, found: Occlusion, name: str) -> None:
    from featurestore.places.durable import storage_errors, write_durably
    from schemas.messages.printable import escape_controls
    from training.explain.picture import occlusion_figure, title_of
    from training.report.drawing import encode_png

    clip = "standard input" if name == STDIN else escape_controls(Path(name).name)
    content = encode_png(occlusion_figure(found, title_of(found, clip)))
    with storage_errors(picture):
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_durably(picture, content)
