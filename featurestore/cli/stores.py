"""``ser-features info``, ``verify`` and ``compare``: inspect stores."""

from __future__ import annotations

from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Json, StorePlace
from featurestore.cli.paths import place_type


def info(store: StorePlace, json: Json = False) -> None:
    """Show what a store contains: corpora, clips, features, views, size, digest; what is published with it.

    [bold]Examples[/]

      ser-features info features.zarr

      ser-features info s3://lab/emotions

      ser-features info s3://lab/emotions/runs/20260131-140501-four-corpora-a-speaker
    """
    from featurestore.cli.text.info import info_json, info_text
    from featurestore.cli.text.sharing import (
        published_json,
        published_text,
        run_versions_json,
        run_versions_text,
        runs_json,
        runs_text,
    )
    from featurestore.sharing.listing import list_run_versions, list_runs, list_versions
    from featurestore.store import FeatureStore

    if (run := list_run_versions(store)) is not None:
        print_json(run_versions_json(store, run)) if json else out.print(run_versions_text(store, run))
        return
    versions = list_versions(store)
    runs = list_runs(store, versions)
    opened = None if runs is not None and versions is None else FeatureStore.open(store)
    if json:
        print_json(
            ({} if opened is None else info_json(opened))
            | ({"published": published_json(versions)} if versions else {})
            | ({"runs": runs_json(runs)} if runs else {})
        )
        return
    if opened is not None:
        out.print(info_text(opened))
    if versions:
        out.print(published_text(versions))
    if runs:
        out.print(runs_text(runs))


def verify(
    store: StorePlace,
    full: Annotated[bool, typer.Option("--full", help="Hash and decode every object.")] = False,
    json: Json = False,
) -> None:
    """Check that a store is intact: quickly (names, sizes, metadata) or fully (every byte).

    The exit code is 0 if it is intact and 1 if it is damaged.

    [bold]Examples[/]

      ser-features verify features.zarr

      ser-features verify s3://lab/emotions --full
    """
    from featurestore.cli.text.verify import verification_json, verification_text
    from featurestore.verify import verify as run

    result = run(store, full=full, progress=ConsoleProgress())
    with after_result():
        print_json(verification_json(result)) if json else out.print(verification_text(result))
    if not result.ok:
        raise typer.Exit(1)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A store: a folder or a URL.", parser=place_type)],
    b: Annotated[str, typer.Argument(metavar="B", help="The store to compare it with.", parser=place_type)],
    values: Annotated[
        bool,
        typer.Option("--values/--no-values", help="Also compare the feature values, not only the tables."),
    ] = True,
    json: Json = False,
) -> None:
    """Show the differences between two stores: specification, clips, views and values.

    The exit code is 0 if they are the same and 1 if they differ, like that of diff.

    [bold]Examples[/]

      ser-features compare mine.zarr theirs.zarr

      ser-features compare old.zarr s3://lab/emotions --no-values
    """
    from featurestore.cli.text.compare import comparison_json, comparison_text
    from featurestore.compare import compare as run
    from featurestore.store import FeatureStore

    result = run(FeatureStore.open(a), FeatureStore.open(b), ConsoleProgress(), values=values)
    with after_result():
        print_json(comparison_json(result)) if json else out.print(comparison_text(result, a, b))
    if not result.same:
        raise typer.Exit(1)
