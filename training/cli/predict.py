"""``ser-predict``: what recordings, or the microphone, sound like, by a trained model or several."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.console import Command, ConsoleProgress, Version, err, out
from schemas.errors import RecordingError, UsageError
from training.cli.choices import DeviceName

if TYPE_CHECKING:
    from training.cli.rows import Rows
    from training.predict.ensemble import Ensemble
    from training.predict.predictor import Prediction

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")

STDIN = "-"

MICROPHONE = "microphone"
"""The name of its sound in rows."""

_MUCH_S = 0.5
"""Sound that is left out and not worth a note, at most."""


@app.command(cls=Command)
def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run of ser-train, or of a series of folds.")
    ],
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CLIP",
            help="Recordings, folders of recordings, or - for one on standard input.",
            show_default=False,
        ),
    ] = None,
    others: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="RUN",
            help="A further run or series: the mean answers. As often as you like.",
            show_default=False,
        ),
    ] = None,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Listen to the microphone, until Ctrl-C.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(help="Listen for so long.", show_default="until Ctrl-C")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            help="Seconds: one row a window instead of one a recording.",
            show_default="none; of the microphone what the model hears",
        ),
    ] = None,
    step: Annotated[
        float | None, typer.Option(help="Seconds from window to window.", show_default="1")
    ] = None,
    device: Annotated[DeviceName, typer.Option(help="Where to compute.")] = DeviceName.AUTO,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, at the end.")] = False,
    csv_: Annotated[
        bool, typer.Option("--csv", help="Print CSV with the probability of each emotion.")
    ] = False,
    version: Version = False,
) -> None:
    """Tell which emotion recordings sound like. Files that cannot be read are told, and the others go on.

    What the model is worth, its protocol and result, comes first on standard error, and stands in the JSON.

    [bold]Examples[/]

      ser-predict runs/20260131-140501-four-corpora-a-speaker clip.wav recordings/

      ser-predict RUN interview.flac --window 3 --step 1

      ser-predict RUN recordings/ --csv > emotions.csv

      ser-predict RUN --microphone --seconds 60

      ser-predict SERIES clip.wav --with RUN2
    """
    if json and csv_:
        raise UsageError("--json and --csv are two forms of one answer; choose one")
    _require_one_source(clips or [], microphone, seconds)
    if step is not None and window is None and not microphone:
        raise UsageError(f"--step {step:g} is for windows; add --window, or leave it out")
    runs = [run, *(others or [])]
    files = [] if microphone else _files(clips or [])
    from training.cli.rows import CsvRows, JsonRows, TextRows
    from training.predict.ensemble import Ensemble
    from training.predict.worth import Worth, worth_json, worth_notes

    if microphone:  # before models are read
        from training.predict.microphone import import_sounddevice

        import_sounddevice()
    model = Ensemble.open(runs, device.value)
    worths = [Worth.of(each) for each in runs]
    # Not through rich: a bar on standard error would take what a redirected standard output is to get.
    stream = sys.stdout
    rows: Rows
    if json:
        rows = JsonRows(
            stream, model.emotions, [worth_json(*each) for each in zip(runs, worths, strict=True)]
        )
    else:
        for note in worth_notes(runs, worths):
            err.print(f"note: {_shown(note)}", markup=False)
        rows = (CsvRows if csv_ else TextRows)(stream, model.emotions)
    spacing = 1.0 if step is None else step
    if microphone:
        _listen(model, rows, window, spacing, seconds)
        return
    with ExitStack() as stack:
        advance: Callable[[int], None] = _ignore
        if len(files) > 1 and (json or not out.is_terminal):
            advance = stack.enter_context(ConsoleProgress().task("hear", len(files), "recordings"))
        failed = _hear(model, rows, files, None if window is None else (window, spacing), advance)
    rows.finish()
    if failed:
        err.print(f"{failed} of {len(files)} recordings could not be read", markup=False)
        raise typer.Exit(1)


def _require_one_source(clips: Sequence[str], microphone: bool, seconds: float | None) -> None:
    if microphone and clips:
        raise UsageError(f"--microphone and {clips[0]} are two sounds; give one")
    if not microphone and not clips:
        raise UsageError(
            "there is nothing to hear; give the run first, then recordings, a folder, - or --microphone, as "
            "ser-predict RUN clip.wav"
        )
    if seconds is not None and not microphone:
        raise UsageError(f"--seconds {seconds:g} is for --microphone; leave it out")
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError(f"--seconds {seconds:g} is no time to listen; give more than 0, or leave it out")


def _files(clips: Sequence[str]) -> list[str]:
    """Recordings that are named, each once, those of folders sorted.

    Raises :class:`UsageError` where there is none.
    """
    from data.files import is_audio

    files = []
    for clip in clips:
        path = Path(clip)
        if clip != STDIN and (path / "run.json").is_file():
            raise UsageError(
                f"{clip} is a run and no recording; give the run first, as ser-predict {clip} CLIP"
            )
        if clip != STDIN and path.is_dir():
            found = sorted(str(each) for each in path.rglob("*") if each.is_file() and is_audio(each.name))
            if not found:
                raise UsageError(
                    f"{clip} holds no recording (WAV, FLAC, MP3, OGG, AIFF); give another folder"
                )
            files += found
        else:
            files.append(clip)
    once: dict[str, str] = {}
    for name in files:
        once.setdefault(name if name == STDIN else os.path.realpath(name), name)
    return [*once.values()]


def _hear(
    model: Ensemble,
    rows: Rows,
    files: Sequence[str],
    windows: tuple[float, float] | None,
    advance: Callable[[int], None],
) -> int:
    """Tell each recording as it is heard; the number of those that could not be read."""
    failed = 0
    for name in files:
        problem = None
        try:
            found = _predictions(model, name, windows)
        except RecordingError as error:
            problem = str(error)
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
        if problem is None:
            for prediction in found:
                rows.prediction(name, prediction)
        else:
            failed += 1
            err.print(f"{_shown(name)}: {problem}", markup=False)
            rows.problem(name, problem)
        advance(1)
    return failed


def _predictions(model: Ensemble, name: str, windows: tuple[float, float] | None) -> Iterator[Prediction]:
    file = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    if windows is not None:
        return model.timeline(file, *windows)
    prediction = model.predict(file)
    if prediction.unheard_s > _MUCH_S:
        heard = f"{model.window_s:.3g}"
        err.print(
            f"note: {_shown(name)}: the model hears {heard} s, and {prediction.unheard_s:.3g} s behind them "
            f"are left out; --window {heard} hears all",
            markup=False,
        )
    return iter([prediction])


def _listen(model: Ensemble, rows: Rows, window: float | None, step: float, seconds: float | None) -> None:
    """Tell what the microphone hears, until Ctrl-C or for so many seconds."""
    from training.predict.microphone import microphone

    with microphone() as heard, _stopped_by_ctrl_c() as stopped:
        err.print(f"listening at {heard.rate} Hz{'' if seconds else '; Ctrl-C ends it'}", markup=False)
        blocks = heard.blocks(stopped, seconds, _tell_lost)
        for prediction in model.listen(blocks, heard.rate, window, step):
            rows.prediction(MICROPHONE, prediction)
    rows.finish()


def _tell_lost(second: float) -> None:
    err.print(f"note: sound was lost at {second:.1f} s: this machine is too busy", markup=False)


@contextmanager
def _stopped_by_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: once ends the sound, what was heard of it is told; twice stops at once."""
    pressed = False
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: object) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _shown(name: str) -> str:
    from training.cli.rows import shown

    return shown(name)


def _ignore(count: int) -> None:
    del count


def main() -> None:
    """Entry point of ``ser-predict``."""
    app()
