"""``ser-features datasets`` and ``demo``: the corpora from which stores are built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, note, out, print_json
from featurestore.cli.options import Corpora, Json


def datasets(
    corpora: Corpora = Path("corpora"),
    every: Annotated[bool, typer.Option("--all", help="List rarer corpora, too.")] = False,
    json: Json = False,
) -> None:
    """List the known corpora: clips found and expected, licence, home page.

    [bold]Example[/]

      ser-features datasets --corpora ~/speech
    """
    from data.catalogue import catalogue
    from featurestore.cli.text.datasets import datasets_json, datasets_text

    if not corpora.is_dir():
        note(f"the corpora folder '{corpora}' does not exist")
    entries = catalogue(corpora)
    shown = entries if every else tuple(entry for entry in entries if entry.scan or entry.is_common)
    hidden = len(entries) - len(shown)
    print_json(datasets_json(shown)) if json else out.print(datasets_text(shown, hidden))


def demo(corpora: Corpora = Path("corpora"), json: Json = False) -> None:
    """Synthesise the demo corpus of artificial voices, to try everything without a download.

    [bold]Example[/]

      ser-features demo --corpora demo/corpora
    """
    from data.demo import write_demo
    from featurestore.format.outside import require_outside
    from featurestore.places.durable import storage_errors

    require_outside(corpora, "--corpora")
    with storage_errors(corpora), ConsoleProgress().counter("synthesise", "clips") as count:
        root = write_demo(corpora, count)
    with after_result():
        print_json({"path": str(root)}) if json else out.print(f"demo voices in {root}", markup=False)
