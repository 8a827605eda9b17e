"""``ser-features``: build, look at and check feature stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore import completion
from featurestore.console import Command, ConsoleProgress, Version, err, out, print_json
from featurestore.download_cli import add_commands as add_download
from featurestore.listen.cli import add_commands as add_listen
from featurestore.report.cli import add_commands as add_report
from featurestore.sharing.cli import add_commands

app = typer.Typer(
    help="Turn speech corpora into a verified, chunked feature store.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Corpora = Annotated[
    Path,
    typer.Option(help="Folder with one folder a corpus.", envvar="SER_CORPORA", show_default="./corpora"),
]
StorePlace = Annotated[str, typer.Argument(help="The store: a folder or a URL.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command(cls=Command)
def build(
    datasets: Annotated[
        str,
        typer.Option(
            help="all, or names parted by commas, each NAME or NAME=PATH.", autocompletion=completion.datasets
        ),
    ] = "all",
    augment: Annotated[
        int | None,
        typer.Option(
            help="Views beside the original: the first N of the recipe's.", show_default="all of them"
        ),
    ] = None,
    corpora: Corpora = Path("corpora"),
    store: Annotated[
        str, typer.Option("--out", help="Where the store is, or shall be: a folder or a URL.")
    ] = "features.zarr",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Name of a recipe or a TOML file.",
            show_default="four-corpora-a, or the store's own",
            autocompletion=completion.recipes,
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="all, or of mel, mfcc, delta, delta2, chroma, rms, zcr, parted by commas.",
            show_default="the recipe's, or the store's own",
            autocompletion=completion.features,
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the views.", show_default="0")] = None,
    dtype: Annotated[str | None, typer.Option(help="float16 or float32.", show_default="float16")] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            help="zstd; blosc: smaller; none: not compressed; bitround, fixed: rounded, for --dtype float32 "
            "(docs/codecs.md).",
            show_default="zstd",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    decoder: Annotated[str, typer.Option(help="auto, soundfile or dali.")] = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Clips decoded, and on CPU computed, at the same time.",
            show_default="one a core, if memory allows",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Build by so many Dask workers on this machine.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Build by the workers of a running Dask scheduler, as tcp://host:8786."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Hash all that stands and rebuild what is damaged.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail while a recording is bad.")] = False,
    json: Json = False,
) -> None:
    """Build a store, go on with a stopped build, or add corpora to a store.

    [bold]Examples[/]

      ser-features build --datasets all --augment 6

      ser-features build --datasets ravdess,tess --out two.zarr

      ser-features build --datasets mine=/data/recordings --augment 0

      ser-features build --features mfcc,delta,delta2,chroma --out mfcc.zarr

      ser-features build --scheduler tcp://head:8786 --corpora /nfs/corpora --out /nfs/features.zarr
    """
    from pipelines.process import spin_briefly, usable_jobs

    spin_briefly()
    from featurestore.build import BuildRequest
    from featurestore.build import build as run
    from featurestore.cluster_request import cluster_of
    from featurestore.spec_choice import SpecRequest
    from featurestore.summary import build_json, build_text

    request = BuildRequest(
        out=store,
        corpora=corpora,
        datasets=datasets,
        spec=SpecRequest(recipe, augment, features, seed, dtype, codec),
        device=device,
        decoder=decoder,
        jobs=jobs or usable_jobs(),
        cluster=cluster_of(workers, scheduler),
        check=check,
        strict=strict,
    )
    report = run(request, ConsoleProgress())
    print_json(build_json(report)) if json else out.print(build_text(report))


@app.command(cls=Command)
def datasets(corpora: Corpora = Path("corpora"), json: Json = False) -> None:
    """List the corpora that are known: found and expected clips, licence, home page.

    [bold]Example[/]

      ser-features datasets --corpora ~/speech
    """
    from featurestore.catalogue import catalogue
    from featurestore.summary import datasets_json, datasets_text

    if not corpora.is_dir():
        err.print(f"note: there is no folder '{corpora}' to look for corpora in", markup=False)
    entries = catalogue(corpora)
    print_json(datasets_json(entries)) if json else out.print(datasets_text(entries))


@app.command(cls=Command)
def demo(corpora: Corpora = Path("corpora"), json: Json = False) -> None:
    """Synthesise the demo corpus: voices that nobody has, to try the whole without a download.

    [bold]Example[/]

      ser-features demo --corpora demo/corpora
    """
    from data.demo import write_demo
    from featurestore.durable import storage_errors

    with storage_errors(corpora), ConsoleProgress().counter("synthesise", "clips") as count:
        root = write_demo(corpora, count)
    print_json({"path": str(root)}) if json else out.print(f"demo voices in {root}")


@app.command(cls=Command)
def info(store: StorePlace, json: Json = False) -> None:
    """Say what a store holds: corpora, clips, features, views, size, digest; of a URL also its versions.

    [bold]Examples[/]

      ser-features info features.zarr

      ser-features info s3://lab/emotions
    """
    from featurestore.sharing.listing import published
    from featurestore.sharing.text import published_json, published_text
    from featurestore.store import FeatureStore
    from featurestore.summary import info_json, info_text

    opened, versions = FeatureStore.open(store), published(store)
    if json:
        print_json(info_json(opened) | ({"published": published_json(versions)} if versions else {}))
        return
    out.print(info_text(opened))
    if versions:
        out.print(published_text(versions))


@app.command(cls=Command)
def verify(
    store: StorePlace,
    full: Annotated[bool, typer.Option("--full", help="Hash and decode everything.")] = False,
    json: Json = False,
) -> None:
    """Check that a store is what it says: quickly (names, sizes, metadata) or in full (every byte).

    [bold]Examples[/]

      ser-features verify features.zarr

      ser-features verify s3://lab/emotions --full
    """
    from featurestore.summary import verification_json, verification_text
    from featurestore.verify import verify as run

    result = run(store, full=full, progress=ConsoleProgress())
    print_json(verification_json(result)) if json else out.print(verification_text(result))
    if not result.ok:
        raise typer.Exit(1)


@app.command(cls=Command)
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A store: a folder or a URL.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The store to set against it.")],
    values: Annotated[
        bool, typer.Option("--values/--no-values", help="Compare the numbers too, not only the tables.")
    ] = True,
    json: Json = False,
) -> None:
    """Say what differs between two stores: specification, clips, views and values.

    Exit code 0 where they are the same, 1 where they differ, like diff.

    [bold]Examples[/]

      ser-features compare mine.zarr theirs.zarr

      ser-features compare old.zarr s3://lab/emotions --no-values
    """
    from featurestore.compare import compare as run
    from featurestore.compare_text import comparison_json, comparison_text
    from featurestore.store import FeatureStore

    result = run(FeatureStore.open(a), FeatureStore.open(b), ConsoleProgress(), values=values)
    print_json(comparison_json(result)) if json else out.print(comparison_text(result, a, b))
    if not result.same:
        raise typer.Exit(1)


add_commands(app)
add_download(app)
add_listen(app)
add_report(app)


@app.callback()
def _options(version: Version = False) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Entry point of ``ser-features``."""
    app()
