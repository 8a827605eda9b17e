"""``ser-predict``: what recordings sound like, by a trained model."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from featurestore.console import Command, Version, err, out, print_json
from schemas.errors import RecordingError, UsageError
from training.cli import DeviceName
from training.tables import text_table

if TYPE_CHECKING:
    from training.predict import Prediction, Predictor

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich", add_completion=False)

STDIN = "-"

_MUCH_S = 0.5
"""Sound that is left out and not worth a note, at most."""


@app.command(cls=Command)
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a run of ser-train.")],
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIP...", help="Recordings, folders of recordings, or - for one on standard input."
        ),
    ],
    window: Annotated[
        float | None,
        typer.Option(help="Seconds: one row a window instead of one a recording.", show_default="no windows"),
    ] = None,
    step: Annotated[float, typer.Option(help="Seconds from window to window.")] = 1.0,
    device: Annotated[DeviceName, typer.Option(help="Where to compute.")] = DeviceName.AUTO,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    csv_: Annotated[
        bool, typer.Option("--csv", help="Print CSV with the probability of each emotion.")
    ] = False,
    version: Version = False,
) -> None:
    """Tell which emotion recordings sound like. Files that cannot be read are told, and the others go on.

    [bold]Examples[/]

      ser-predict runs/20260131-140501-four-corpora-a-speaker clip.wav recordings/

      ser-predict RUN interview.flac --window 3 --step 1

      ser-predict RUN recordings/ --csv > emotions.csv
    """
    if json and csv_:
        raise UsageError("--json and --csv are two forms of one answer; choose one")
    from training.predict import Predictor

    files = _files(clips)
    predictor = Predictor.open(run, device.value)
    answers = _answers(predictor, files, window, step)
    if json:
        found = list(answers)
        print_json(_json(predictor, found))
    elif csv_:
        found = list(_printed_csv(predictor, answers))
    else:
        found = list(_printed(answers))
    failed = sum(answer.problem is not None for answer in found)
    if failed:
        err.print(f"{failed} of {len(files)} recordings could not be read", markup=False)
        raise typer.Exit(1)


@dataclass(frozen=True)
class Answer:
    """What is said of one recording: predictions, one a window, or the problem with it."""

    name: str
    predictions: tuple[Prediction, ...] = ()
    problem: str | None = None


def _files(clips: Sequence[str]) -> list[str]:
    """Recordings that are named, those of folders sorted. Raises :class:`UsageError` where there is none."""
    from data.files import is_audio

    files = []
    for clip in clips:
        path = Path(clip)
        if clip != STDIN and path.is_dir():
            found = sorted(str(each) for each in path.rglob("*") if each.is_file() and is_audio(each.name))
            if not found:
                raise UsageError(
                    f"{clip} holds no recording (WAV, FLAC, MP3, OGG, AIFF); give another folder"
                )
            files += found
        else:
            files.append(clip)
    return files


def _answers(
    predictor: Predictor, files: Sequence[str], window: float | None, step: float
) -> Iterator[Answer]:
    for name in files:
        try:
            file = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
            if window is None:
                prediction = predictor.predict(file)
                if prediction.unheard_s > _MUCH_S:
                    err.print(
                        f"note: {name}: the model hears {predictor.window_s:.3g} s, and "
                        f"{prediction.unheard_s:.3g} s behind them are left out; "
                        f"--window {predictor.window_s:.3g} hears all",
                        markup=False,
                    )
                yield Answer(name, (prediction,))
            else:
                yield Answer(name, tuple(predictor.timeline(file, window, step)))
        except RecordingError as error:
            yield _problem(name, str(error))
        except OSError as error:
            yield _problem(name, f"cannot be read: {error.strerror or error}")


def _problem(name: str, problem: str) -> Answer:
    err.print(f"{name}: {problem}", markup=False)
    return Answer(name, problem=problem)


def _printed(answers: Iterator[Answer]) -> Iterator[Answer]:
    """Print a row a prediction as it comes; pass the answers on."""
    rows = [("clip", "from", "to", "emotion", "probability", "runner-up")]
    found = list(answers)
    for answer in found:
        for prediction in answer.predictions:
            span = (f"{prediction.start_s:.1f} s", f"{prediction.stop_s:.1f} s")
            ranked = prediction.ranked
            if not ranked:
                rows.append((answer.name, *span, "silence", "", ""))
                continue
            (first, probability), *others = ranked
            second = f"{others[0][0]} {100 * others[0][1]:.0f} %" if others else ""
            rows.append((answer.name, *span, first, f"{100 * probability:.0f} %", second))
    if len(rows) > 1:
        out.print(text_table(rows[0], rows[1:]), markup=False)
    yield from found


def _printed_csv(predictor: Predictor, answers: Iterator[Answer]) -> Iterator[Answer]:
    """Print a row a prediction as it comes, probabilities empty where there is silence."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("clip", "start_s", "stop_s", "emotion", "probability", *predictor.emotions))
    for answer in answers:
        for prediction in answer.predictions:
            span = (f"{prediction.start_s:.3f}", f"{prediction.stop_s:.3f}")
            if prediction.probabilities is None:
                writer.writerow((answer.name, *span, "silence", "", *[""] * len(predictor.emotions)))
                continue
            emotion, probability = prediction.ranked[0]
            each = (f"{value:.6f}" for value in prediction.probabilities)
            writer.writerow((answer.name, *span, emotion, f"{probability:.6f}", *each))
        yield answer


def _json(predictor: Predictor, answers: Sequence[Answer]) -> dict[str, Any]:
    return {
        "model": predictor.record.recipe.model.name,
        "emotions": list(predictor.emotions),
        "clips": [
            {
                "clip": answer.name,
                "problem": answer.problem,
                "predictions": [
                    {
                        "start_s": prediction.start_s,
                        "stop_s": prediction.stop_s,
                        "unheard_s": prediction.unheard_s,
                        "emotion": prediction.ranked[0][0] if prediction.ranked else None,
                        "probabilities": None
                        if prediction.probabilities is None
                        else dict(prediction.ranked),
                    }
                    for prediction in answer.predictions
                ],
            }
            for answer in answers
        ],
    }


def main() -> None:
    """Entry point of ``ser-predict``."""
    app()
