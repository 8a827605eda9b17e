"""``ser-predict``: predict emotions or dimensions from recordings or from the microphone."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.console import Command, ConsoleProgress, Version, err, note, out
from featurestore.cli.options import Encoders, encoder_folders_of
from featurestore.cli.paths import path_type, place_type, recording_type
from featurestore.places.choose import is_url
from schemas.errors import UsageError
from schemas.messages.counts import format_count
from schemas.segmentation import Segmentation, Windows, parse_segmentation
from training.cli.choices import DeviceName
from training.cli.explain import HidingRequest, explain_recordings, plan_pictures
from training.cli.hear import hear_microphone, hear_recordings
from training.cli.options import Device
from training.cli.recordings import list_recordings
from training.cli.rows import (
    CsvWriter,
    JsonWriter,
    PredictionWriter,
    TextWriter,
    ValueCsvWriter,
    ValueTextWriter,
)
from training.explain.sizes import BANDS, WINDOW_S, require_sizes

if TYPE_CHECKING:
    from pipelines.speech import SpeechDetector
    from training.predict.ensemble import Ensemble

_STEP_S = 1.0

_EXPLANATION = "Explanation"

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command(cls=Command)
def predict(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run of ser-train, or a series of folds: a folder or a URL.",
            parser=place_type,
        ),
    ],
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CLIP",
            help="Recordings, folders of recordings, or - for one on standard input.",
            parser=recording_type,
            show_default=False,
        ),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="RUN",
            help="Another run or series; predictions are averaged. Can be repeated.",
            parser=place_type,
            show_default=False,
        ),
    ] = None,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Listen to the microphone until Ctrl-C.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(help="Listen for this many seconds.", show_default="until Ctrl-C"),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            help="Seconds per window: one row per window instead of one per recording.",
            show_default="none; for the microphone, the model's own window",
        ),
    ] = None,
    step: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next.", show_default="1")
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(
            help="One row per part of a recording: silero (segments of speech), or WINDOW,STEP: --window and "
            "--step.",
            metavar="silero|WINDOW,STEP",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also write a picture per recording: how its prediction changes if parts are hidden.",
            rich_help_panel=_EXPLANATION,
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for the pictures.",
            show_default="the current folder",
            parser=path_type,
            rich_help_panel=_EXPLANATION,
        ),
    ] = None,
    hide_seconds: Annotated[
        float | None,
        typer.Option(
            help="Seconds that are made silent at a time.",
            show_default=f"{WINDOW_S:g}",
            rich_help_panel=_EXPLANATION,
        ),
    ] = None,
    hide_bands: Annotated[
        int | None,
        typer.Option(
            help="Number of bands, equally wide on the mel scale, one of which is removed at a time.",
            show_default=f"{BANDS}",
            rich_help_panel=_EXPLANATION,
        ),
    ] = None,
    encoder: Encoders = None,
    device: Device = DeviceName.AUTO,
    json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON at the end.")] = False,
    csv_: Annotated[
        bool,
        typer.Option("--csv", help="Print CSV with the probability of every emotion, or with every value."),
    ] = False,
    version: Version = False,
) -> None:
    """Predict the emotion that each recording sounds like, or its valence, arousal and dominance.

    Unreadable files are reported and skipped.

    The model's test result and its protocol are printed first, on standard error, and are part of the JSON.

    [bold]Examples[/]

      ser-predict runs/20260131-140501-four-corpora-a-speaker clip.wav recordings/

      ser-predict RUN interview.flac --window 3 --step 1

      ser-predict RUN interview.flac --segment silero

      ser-predict RUN recordings/ --csv > emotions.csv

      ser-predict RUN --microphone --seconds 60

      ser-predict SERIES clip.wav --with RUN2

      ser-predict s3://lab/emotions/runs/20260131-140501-four-corpora-a-speaker clip.wav

      ser-predict RUN clip.wav --explain --out pictures
    """
    if json and csv_:
        raise UsageError("--json and --csv are two output formats; choose one")
    _require_one_source(clips or [], microphone, seconds)
    segmentation = _choose_segmentation(segment, window, step, microphone)
    runs = [run, *(others or [])]
    found = list_recordings([] if microphone else clips or [])
    files = found.names
    _require_whole_recordings(explain, segmentation is not None, microphone)
    hiding = _plan_hiding(explain, files, output, hide_seconds, hide_bands)
    from training.predict.ensemble import Ensemble

    if microphone:  # before models are read
        from training.predict.microphone import import_sounddevice

        import_sounddevice()
    parts: Windows | SpeechDetector | None = None
    if isinstance(segmentation, Windows):
        parts = segmentation
    elif segmentation is not None:
        from pipelines.speech import SpeechDetector

        parts = SpeechDetector.open()
    from training.runs.elsewhere import local_run

    folders = [local_run(each, ConsoleProgress()) for each in runs]
    model = Ensemble.open(folders, device.value, encoder_folders_of(encoder))
    names = [each if is_url(each) else str(Path(each)) for each in runs]
    writer = _writer(model, names, folders, json, csv_)
    for sentence in found.notes:
        note(sentence)
    if microphone:
        hear_microphone(model, writer, window, _STEP_S if step is None else step, seconds)
        return
    with ExitStack() as stack:
        advance: Callable[[int], None] = _ignore
        if len(files) > 1 and (json or not out.is_terminal):
            advance = stack.enter_context(ConsoleProgress().task("hear", len(files), "recordings"))
        if hiding is not None:
            failed = explain_recordings(model, writer, files, hiding, advance)
        else:
            failed = hear_recordings(model, writer, files, parts, advance)
    writer.finish()
    if failed:
        err.print(f"{failed:,} of {format_count(len(files), 'recording')} could not be read", markup=False)
        raise typer.Exit(1)


def _require_whole_recordings(explain: bool, segmented: bool, microphone: bool) -> None:
    """Raise :class:`UsageError` for ``--explain`` with anything but whole recordings."""
    if explain and microphone:
        raise UsageError(
            "--explain is for recordings; leave it out, or give a recording instead of --microphone"
        )
    if explain and segmented:
        raise UsageError(
            "--explain shows the prediction for a whole recording; leave out --window, --step and --segment"
        )


def _plan_hiding(
    explain: bool, files: Sequence[str], output: Path | None, seconds: float | None, bands: int | None
) -> HidingRequest | None:
    """What ``--explain`` and its options ask for. Raises :class:`UsageError` for its options without it."""
    given = {"--out": output, "--hide-seconds": seconds, "--hide-bands": bands}
    names = [name for name, value in given.items() if value is not None]
    if names and not explain:
        raise UsageError(f"{names[0]} is for --explain; add --explain, or leave it out")
    if not explain:
        return None
    window_s, bands = WINDOW_S if seconds is None else seconds, BANDS if bands is None else bands
    require_sizes(window_s, bands)
    return HidingRequest(plan_pictures(files, output or Path()), window_s, bands)


def _choose_segmentation(
    segment: str | None, window: float | None, step: float | None, microphone: bool
) -> Segmentation | None:
    """What ``--segment``, or ``--window`` and ``--step``, say about recordings."""
    if segment is None:
        if step is not None and window is None and not microphone:
            raise UsageError(f"--step {step:g} needs windows; add --window, or leave it out")
        return None if window is None else Windows(window, _STEP_S if step is None else step)
    if microphone:
        raise UsageError(
            f"--segment {segment} is for recordings; with --microphone, give --window and --step"
        )
    if window is not None or step is not None:
        raise UsageError(
            f"--segment {segment} and {'--step' if window is None else '--window'} both cut recordings; give "
            f"one of them"
        )
    return parse_segmentation(segment)


def _writer(model: Ensemble, runs: list[str], folders: list[Path], json: bool, csv: bool) -> PredictionWriter:
    """The writer of the requested format. How good the models are is printed here, or is part of the JSON."""
    from training.predict.worth import Worth, worth_json, worth_notes
    from training.runs.hashes import notes_on_hashes

    worths = [Worth.of(each) for each in folders]
    for sentence in notes_on_hashes(folders):
        note(sentence)
    # Not through rich, which would send output to the progress bar instead of a redirected standard output.
    stream = sys.stdout
    if json:
        known = [
            worth_json(*each, regression=bool(model.dimensions)) for each in zip(runs, worths, strict=True)
        ]
        return JsonWriter(stream, model.emotions, known, model.dimensions)
    for sentence in worth_notes(runs, worths):
        note(sentence)
    if model.dimensions:
        return (ValueCsvWriter if csv else ValueTextWriter)(stream, model.dimensions)
    return (CsvWriter if csv else TextWriter)(stream, model.emotions)


def _require_one_source(clips: Sequence[str], microphone: bool, seconds: float | None) -> None:
    if microphone and clips:
        raise UsageError(f"--microphone and {clips[0]} are two sources of sound; give one")
    if not microphone and not clips:
        raise UsageError(
            "no recordings given; give the run first, then recordings, a folder, - or --microphone, such as "
            "ser-predict RUN clip.wav"
        )
    if seconds is not None and not microphone:
        raise UsageError(f"--seconds {seconds:g} is for --microphone; leave it out")
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError(f"--seconds {seconds:g} is not a duration; give more than 0, or leave it out")


def _ignore(count: int) -> None:
    del count
