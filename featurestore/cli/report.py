"""``ser-features report``: describes a store on one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import StorePlace
from featurestore.cli.paths import path_type
from featurestore.cli.text.lines import escape
from schemas.messages.counts import format_count

if TYPE_CHECKING:
    from featurestore.report.make import Report  # takes seconds to import


def report(
    store: StorePlace,
    page: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The HTML file to write; an existing file is replaced.",
            show_default="./<name of the store>-report.html",
            parser=path_type,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Also print the page's numbers as JSON.")] = False,
) -> None:
    """Describe a store on one self-contained HTML page.

    The page shows clips by corpus, emotion and gender, speakers, durations,
    recording quality, problems, class balance, mean spectra, correlations, the
    layers of pretrained encoders, a map of the clips, pictures of example clips
    in all views, and the store's origin.

    Only the tables, the original views of mel and mfcc, encoder features of at
    most 2,000 clips, and one clip per emotion are read, block by block.

    [bold]Examples[/]

      ser-features report features.zarr

      ser-features report s3://lab/emotions --out emotions.html
    """
    from featurestore.report.make import make_report

    made = make_report(store, page, ConsoleProgress())
    with after_result():
        _show(made, json)


def _show(made: Report, json: bool) -> None:
    from featurestore.report.findings import findings_json

    if json:
        print_json({"page": str(made.path), "bytes": made.bytes, **findings_json(made.findings)})
        return
    held = made.findings.contents
    out.print(
        f"[bold]{escape(str(made.path))}[/]: {format_count(held.clips, 'clip')} of "
        f"{format_count(held.speakers, 'speaker')}, "
        f"{made.bytes / 1e6:.1f} MB; open it in a browser"
    )
