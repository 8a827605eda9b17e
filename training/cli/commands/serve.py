"""``ser-serve``: serve predictions over HTTP and WebSockets."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import Command, ConsoleProgress, Version, note, out
from featurestore.cli.options import Encoders, encoder_folders_of
from featurestore.cli.paths import path_type, place_type
from schemas.errors import RunError
from training.cli.choices import DeviceName
from training.cli.options import Device, PublicUrl, require_url

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")

_LIMITS, _SERVER = "Limits for clients", "Server"

_NEEDED = ("fastapi", "fastapi_offline", "prometheus_client", "python_multipart", "uvicorn", "websockets")


@app.command(cls=Command)
def serve(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run of ser-train, or a series of folds: a folder or a URL.",
            parser=place_type,
        ),
    ],
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
    max_mb: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1000,
            help="Maximum size of a file in MB (1 MB is 1,048,576 bytes).",
            rich_help_panel=_LIMITS,
        ),
    ] = 20.0,
    max_seconds: Annotated[
        float,
        typer.Option(
            min=1, max=3600, help="Maximum length of a recording in seconds.", rich_help_panel=_LIMITS
        ),
    ] = 300.0,
    max_files: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Maximum number of files per request.", rich_help_panel=_LIMITS),
    ] = 16,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1e6,
            help="Requests per minute of a client: of a token, or of an address if there are none.",
            show_default="unlimited",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    max_requests: Annotated[
        int,
        typer.Option(
            min=1,
            max=512,
            help="Requests to answer at the same time; further ones are asked to come back.",
            rich_help_panel=_LIMITS,
        ),
    ] = 64,
    max_streams: Annotated[
        int, typer.Option(min=1, max=256, help="Streams at the same time.", rich_help_panel=_LIMITS)
    ] = 8,
    max_stream_seconds: Annotated[
        float,
        typer.Option(
            min=1, max=86_400, help="Maximum length of a stream in seconds.", rich_help_panel=_LIMITS
        ),
    ] = 3600.0,
    batch_ms: Annotated[
        float,
        typer.Option(
            min=0,
            max=1000,
            help="Milliseconds that a clip may wait for clips of other requests, to be computed together.",
            rich_help_panel=_SERVER,
        ),
    ] = 5.0,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the tokens that clients must send, one per line.",
            parser=path_type,
            show_default="$SER_SERVE_TOKEN",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    no_token: Annotated[
        bool,
        typer.Option(
            "--no-token", help="Accept requests of other machines without a token.", rich_help_panel=_SERVER
        ),
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.", rich_help_panel=_SERVER)] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to listen on.",
            show_default="8765, or the next free one",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    public_url: PublicUrl = None,
    drain_seconds: Annotated[
        float,
        typer.Option(
            min=1,
            max=600,
            help="Seconds that requests in progress may take after a signal to stop.",
            rich_help_panel=_SERVER,
        ),
    ] = 10.0,
    log: Annotated[
        bool,
        typer.Option(
            "--log/--no-log",
            help="Write a line of JSON per request to standard error.",
            rich_help_panel=_SERVER,
        ),
    ] = True,
    encoder: Encoders = None,
    device: Device = DeviceName.AUTO,
    version: Version = False,
) -> None:
    """Serve predictions over HTTP and WebSockets, with the numbers of ser-predict.

    Recordings stay in memory and are discarded after the prediction. The page /docs describes the interface.
    Ctrl-C and SIGTERM stop the service; requests in progress are answered first.

    [bold]Examples[/]

      ser-serve runs/20260131-140501-four-corpora-a-speaker

      curl --data-binary @clip.wav http://127.0.0.1:8765/v1/predict

      ser-serve RUN --host 0.0.0.0 --token-file tokens.txt --rate 600
    """
    require_url(public_url)
    if any(find_spec(name) is None for name in _NEEDED):
        raise RunError("the service needs FastAPI, which is not installed; install ser-features[serve]")
    from training.runs.elsewhere import local_run
    from training.serve.limits import ServiceLimits
    from training.serve.service import ServeRequest
    from training.serve.service import serve as serve_runs

    limits = ServiceLimits(
        max_mb=max_mb,
        max_seconds=max_seconds,
        max_files=max_files,
        rate=rate,
        max_requests=max_requests,
        max_streams=max_streams,
        max_stream_seconds=max_stream_seconds,
    )
    serve_runs(
        ServeRequest(
            runs=tuple(local_run(each, ConsoleProgress()) for each in (run, *(others or ()))),
            device=device.value,
            encoders=encoder_folders_of(encoder),
            host=host,
            port=port,
            public_url=public_url,
            token_file=token_file,
            open_to_all=no_token,
            limits=limits,
            batch_ms=batch_ms,
            drain_s=drain_seconds,
            logs=log,
        ),
        announce=lambda sentence: out.print(sentence, markup=False),
        note=note,
    )
