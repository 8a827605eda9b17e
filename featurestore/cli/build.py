"""``ser-features build``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli import completion
from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Corpora, Encoders, Json, encoder_folders_of, layers_of
from featurestore.cli.paths import place_type, recipe_type
from schemas.defaults import DEFAULT_RECIPE


def build(
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            help="all, or comma-separated corpora, each NAME or NAME=PATH: a folder or a table. Can be "
            'repeated. A path with a comma is quoted: NAME="PATH".',
            autocompletion=completion.datasets,
            metavar="CORPORA",
            show_default="all",
        ),
    ] = None,
    augment: Annotated[
        int | None,
        typer.Option(
            help="Number of augmented views per clip: the recipe's first N.",
            show_default="all of them",
        ),
    ] = None,
    corpora: Corpora = Path("corpora"),
    store: Annotated[
        str,
        typer.Option(
            "--out",
            help="The store to create or extend: a folder or a URL.",
            parser=place_type,
        ),
    ] = "features.zarr",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Recipe: a name or a TOML file.",
            show_default=f"{DEFAULT_RECIPE}, or the store's own",
            autocompletion=completion.recipes,
            parser=recipe_type,
        ),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(
            help="Cut recordings into clips: silero (segments of speech), or WINDOW,STEP in seconds.",
            metavar="silero|WINDOW,STEP",
            show_default="whole recordings, or the store's own",
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="all, or a comma-separated list of mel, mfcc, delta, delta2, chroma, rms, zcr, and of "
            "pretrained encoders such as whisper-base (see ser-features encoders).",
            show_default="the recipe's, or the store's own",
            autocompletion=completion.features,
        ),
    ] = None,
    encoder: Encoders = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="Layers of the encoders in --features: comma-separated, or a range such as 1-4.",
            show_default="all",
        ),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="What is stored of each layer of an encoder: mean, mean+std or frames.",
            show_default="mean+std",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed for the views.", show_default="0")] = None,
    dtype: Annotated[str | None, typer.Option(help="float16 or float32.", show_default="float16")] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            help="zstd; blosc (smaller); none (uncompressed); bitround or fixed (rounded, need --dtype "
            "float32). See docs/codecs.md.",
            show_default="zstd",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    decoder: Annotated[
        str, typer.Option(help="auto (dali on a GPU if it is installed, else soundfile), soundfile or dali.")
    ] = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Clips to decode (on a CPU, also to compute) at the same time.",
            show_default="one per core, if memory allows",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Build with this many Dask workers on this machine.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Build with the workers of a running Dask scheduler, for example tcp://host:8786."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Hash every existing object and rebuild damaged ones.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if any recording is unusable.")] = False,
    json: Json = False,
) -> None:
    """Build a store, resume a stopped build, or add corpora to a store.

    The exit status is 1 if a corpus has no usable recording.

    [bold]Examples[/]

      ser-features build --datasets all --augment 6

      ser-features build --datasets ravdess,tess --out two.zarr

      ser-features build --datasets mine=/data/recordings --augment 0

      ser-features build --datasets calls=/data/calls --segment 3,1.5

      ser-features build --features mfcc,delta,delta2,chroma --out mfcc.zarr

      ser-features build --features whisper-base --layers 1-4 --encoder whisper-base=~/models/whisper-base

      ser-features build --scheduler tcp://head:8786 --corpora /nfs/corpora --out /nfs/features.zarr
    """
    from pipelines.process import spin_briefly, usable_jobs

    spin_briefly()
    from data.locate import ALL_CORPORA
    from featurestore.build import BuildRequest
    from featurestore.build import build as run
    from featurestore.cli.text.build import build_json, build_text
    from featurestore.cluster.request import cluster_of
    from featurestore.plan.spec import SpecRequest
    from schemas.segmentation import parse_segmentation

    request = BuildRequest(
        out=store,
        corpora=corpora,
        datasets=",".join(datasets or [ALL_CORPORA]),
        spec=SpecRequest(
            recipe,
            augment,
            features,
            seed,
            dtype,
            codec,
            layers_of(layers),
            pooling,
            encoder_folders_of(encoder),
        ),
        device=device,
        decoder=decoder,
        jobs=jobs or usable_jobs(),
        cluster=cluster_of(workers, scheduler),
        check=check,
        segment=None if segment is None else parse_segmentation(segment),
        strict=strict,
    )
    report = run(request, ConsoleProgress())
    with after_result():
        print_json(build_json(report)) if json else out.print(build_text(report))
    report.require_usable()
