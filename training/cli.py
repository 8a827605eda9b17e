"""``ser-train``: from a store to a tested model."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from featurestore.console import Command, Version, out, print_json
from schemas.errors import UsageError

DEFAULT_RECIPE = "four-corpora-a"

_VIEWS = re.compile(r"\s*([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?\s*")

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich", add_completion=False)


class DeviceName(StrEnum):
    """Devices to choose from."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@app.command(cls=Command)
def train(
    store: Annotated[
        str | None,
        typer.Option(
            help="The feature store: a folder or a URL.", show_default="features.zarr, or the resumed run's"
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model, as A.", show_default="the recipe's")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Name of a recipe or a TOML file.", show_default=DEFAULT_RECIPE)
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(help="Views to train on: all, or as 0 or 0,2-4.", show_default="the recipe's, or all"),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help='Clips to train and test on: a query over the manifest, as "snr_db > 10".',
            show_default="the recipe's, or all",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs at most.", show_default="the recipe's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples a step.", show_default="the recipe's")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**63 - 1, help="Seed of split, weights and order.", show_default="0"),
    ] = None,
    device: Annotated[
        DeviceName | None, typer.Option(help="Where to compute.", show_default="auto, or the resumed run's")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="Folder that gets the run's folder.", show_default="runs")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a stopped run to go on with.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    version: Version = False,
) -> None:
    """Train a speaker-independent emotion classifier and test it on speakers that it has never heard.

    [bold]Examples[/]

      ser-train --store features.zarr --model A

      ser-train --store features.zarr --views 0 --epochs 15

      ser-train --store features.zarr --where "snr_db > 10 and clipping_ratio == 0"

      ser-train --resume runs/20260131-140501-four-corpora-a-speaker
    """
    from pipelines.process import keep_freed_memory, spin_briefly

    spin_briefly()
    from schemas.recipe import load_recipe
    from training.plan import TrainRequest

    new = resume is None
    request = TrainRequest(
        store=store or ("features.zarr" if new else None),
        recipe=load_recipe(recipe or DEFAULT_RECIPE) if new or recipe else None,
        recipe_source=recipe,
        model=model,
        views=None if views is None else _views(views),
        where=where,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        device=None if device is None else device.value,
        output=output,
        resume=resume,
    )
    # After the request is known to make sense: these take seconds to import.
    from training.console import ConsoleObserver
    from training.train import train as run

    keep_freed_memory()
    with ConsoleObserver() as observer:
        result = run(request, observer)
    if json:
        print_json({"run": str(result.folder.path), **result.to_json()})
    else:
        out.print(result.report, markup=False)
        out.print(f"run folder: {result.folder.path}", markup=False)


def _views(text: str) -> tuple[int, ...] | Literal["all"]:
    """``all``, or view indices from ``0``, ``0,3`` or ``0-6``. Raises :class:`UsageError` for other text."""
    if text == "all":
        return "all"
    how = "write all, or view indices as 0 or 0,2-4"
    indices: list[int] = []
    for part in text.split(","):
        found = _VIEWS.fullmatch(part)
        if not found:
            raise UsageError(f"--views {text}: {how}")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UsageError(f"--views {text}: {part.strip()} runs backwards; {how}")
        indices += range(first, last + 1)
    if len(set(indices)) < len(indices):
        raise UsageError(f"--views {text}: name each view once")
    return tuple(indices)


def main() -> None:
    """Entry point of ``ser-train``."""
    app()
