"""``ser-features push`` and ``pull``: share stores and runs with others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Json, layers_of
from featurestore.cli.paths import place_type
from featurestore.cli.sharing import Datasets, Features, Layers, Views
from schemas.errors import UsageError


def push(
    store: Annotated[
        str, typer.Argument(help="The store, or a run or series of ser-train: a folder.", parser=place_type)
    ],
    url: Annotated[
        str, typer.Argument(help="Where to publish the version: a URL or a folder.", parser=place_type)
    ],
    json: Json = False,
) -> None:
    """Publish a store, or a trained run, as an immutable version, which becomes the latest.

    A run is published as URL/runs/NAME. Data that is already there is not sent again. A matrix is not
    published as a whole, but its runs can be.

    [bold]Examples[/]

      ser-features push features.zarr s3://lab/emotions

      ser-features push features.zarr sftp://me@server/data/emotions

      ser-features push runs/20260131-140501-four-corpora-a-speaker s3://lab/emotions
    """
    from training.sharing.push_run import is_run, push_run

    if is_run(store):
        from training.cli.share_text import run_push_text, run_report_json

        published = push_run(Path(store), url, ConsoleProgress())
        with after_result():
            print_json(run_report_json(published)) if json else out.print(run_push_text(published))
        return
    from featurestore.cli.text.sharing import push_text, report_json
    from featurestore.sharing.push import push as push_store

    report = push_store(store, url, ConsoleProgress())
    with after_result():
        print_json(report_json(report)) if json else out.print(push_text(report))


def pull(
    url: Annotated[
        str, typer.Argument(help="A URL or folder, or one version of it: URL@1a2b3c.", parser=place_type)
    ],
    store: Annotated[
        str, typer.Argument(help="The folder to write the store or the run to.", parser=place_type)
    ],
    datasets: Datasets = None,
    features: Features = None,
    views: Views = None,
    layers: Layers = None,
    json: Json = False,
) -> None:
    """Fetch a store, a part of it, or a run, and verify every byte. Resumes an interrupted pull.

    [bold]Examples[/]

      ser-features pull s3://lab/emotions features.zarr

      ser-features pull https://lab.org/emotions@1a2b3c small.zarr --datasets ravdess --features mel,mfcc

      ser-features pull s3://lab/emotions middle.zarr --features whisper-base --layers 2-4

      ser-features pull s3://lab/emotions/runs/20260131-140501-four-corpora-a-speaker runs/a
    """
    from training.runs.published import is_published_run

    if is_published_run(url):
        from training.cli.share_text import run_pull_text, run_report_json
        from training.sharing.pull_run import pull_run

        parts = {"--datasets": datasets, "--features": features, "--views": views, "--layers": layers}
        given = [name for name, value in parts.items() if value is not None]
        if given:
            raise UsageError(f"{url} is a run, which has no parts; leave out {', '.join(given)}")
        pulled = pull_run(url, store, ConsoleProgress())
        with after_result():
            print_json(run_report_json(pulled)) if json else out.print(run_pull_text(pulled))
        return
    from featurestore.cli.text.sharing import pull_text, report_json
    from featurestore.sharing.pull import pull as pull_store
    from featurestore.sharing.selection import PartSelection

    report = pull_store(
        url, store, PartSelection.of(datasets, features, views, layers_of(layers)), ConsoleProgress()
    )
    with after_result():
        print_json(report_json(report)) if json else out.print(pull_text(report))
