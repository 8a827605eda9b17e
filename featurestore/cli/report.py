"""``ser-features report``: a store on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from featurestore.cli.console import ConsoleProgress, out, print_json


def report(
    store: Annotated[str, typer.Argument(help="The store: a folder or a URL.")],
    page: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The HTML file to write; one that is there is replaced.",
            show_default="<name of the store>-report.html here",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the page's numbers as JSON for machines, beside the page.")
    ] = False,
) -> None:
    """Describe a store on one HTML page that needs nothing beside it.

    Clips by corpus, emotion and gender, speakers, durations, quality, problems, class balance,
    mean spectra, correlations, clips in all views as pictures, and where the store comes from.

    Reads tables, the originals' mel and mfcc, and one clip an emotion, a block at a time.

    [bold]Examples[/]

      ser-features report features.zarr

      ser-features report s3://lab/emotions --out emotions.html
    """
    from featurestore.report.findings import findings_json
    from featurestore.report.make import make_report

    made = make_report(store, page, ConsoleProgress())
    if json:
        print_json({"page": str(made.path), "bytes": made.bytes, **findings_json(made.findings)})
        return
    held = made.findings.contents
    out.print(
        f"[bold]{escape(str(made.path))}[/]: {held.clips:,} clips of {held.speakers:,} speakers, "
        f"{made.bytes / 1e6:.1f} MB; open it in a browser"
    )
