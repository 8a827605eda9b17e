"""``ser-demo``: serve a page on which a trained model hears recordings."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from featurestore.cli.console import Command, ConsoleProgress, Version, note, out
from featurestore.cli.options import Encoders, encoder_folders_of
from schemas.errors import RunError, UsageError
from training.cli.choices import DeviceName
from training.cli.options import Device, PublicUrl, Run, require_url

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")

_LIMITS, _SERVER = "Limits for visitors", "Server"


@app.command(cls=Command)
def demo(
    run: Run,
    live: Annotated[
        bool,
        typer.Option("--live", help="Listen to the microphone of the page and show emotions as you speak."),
    ] = False,
    max_mb: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1000,
            help="Maximum size of a file in MB (1 MB is 1,048,576 bytes).",
            show_default="20",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    max_seconds: Annotated[
        float,
        typer.Option(
            min=1,
            max=3600,
            help="Maximum length of a recording in seconds; with --live, of listening.",
            rich_help_panel=_LIMITS,
        ),
    ] = 300.0,
    users: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            help="Requests to compute at the same time; with --live, pages that listen.",
            rich_help_panel=_LIMITS,
        ),
    ] = 2,
    host: Annotated[str, typer.Option(help="Address to listen on.", rich_help_panel=_SERVER)] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to listen on.",
            show_default="7860, or the next free one",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    public_url: PublicUrl = None,
    encoder: Encoders = None,
    device: Device = DeviceName.AUTO,
    open_: Annotated[
        bool, typer.Option("--open/--no-browser", help="Open the page in a browser.", rich_help_panel=_SERVER)
    ] = False,
    version: Version = False,
) -> None:
    """Serve a trained model as a web page: upload or record a clip and see which emotion it sounds like.

    Recordings stay in memory and are discarded after the prediction. With --live, the page listens to the
    microphone instead and shows emotions over time. Press Ctrl-C to stop.

    [bold]Examples[/]

      ser-demo runs/20260131-140501-four-corpora-a-speaker --open

      ser-demo RUN --live --open

      ser-demo RUN --port 8000 --max-seconds 60 --users 4
    """
    require_url(public_url)
    if live and max_mb is not None:
        raise UsageError(f"--max-mb {max_mb:g} is for files, and --live listens; leave one of them out")
    _require_packages(live)
    from training.runs.elsewhere import single_run
    from training.web.limits import Limits
    from training.web.show import DemoRequest, show

    show(
        DemoRequest(
            run=single_run(run, ConsoleProgress()),
            device=device.value,
            encoders=encoder_folders_of(encoder),
            host=host,
            port=port,
            public_url=public_url,
            limits=Limits(Limits.max_mb if max_mb is None else max_mb, max_seconds, users),
            opens_browser=open_,
            live=live,
        ),
        announce=lambda sentence: out.print(sentence, markup=False),
        note=note,
    )


def _require_packages(live: bool) -> None:
    if live:
        if any(find_spec(name) is None for name in ("uvicorn", "websockets")):
            raise RunError(
                "the page needs uvicorn and websockets, which are not installed; install ser-features[demo]"
            )
    elif any(find_spec(name) is None for name in ("gradio", "uvicorn", "python_multipart")):
        raise RunError("the page needs Gradio, which is not installed; install ser-features[demo]")
