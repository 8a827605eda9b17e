"""``ser-features download``: a corpus from its publisher to its folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from featurestore.cli.console import ConsoleProgress, err, out, print_json
from schemas.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from data.download.download import Downloaded
    from data.download.offers import Offer


def download(
    name: Annotated[str, typer.Argument(help="ravdess, tess or cremad.")],
    corpora: Annotated[
        Path,
        typer.Option(help="Folder with one folder a corpus.", envvar="SER_CORPORA", show_default="./corpora"),
    ] = Path("corpora"),
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the corpus's licence without being asked.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Download a corpus from its publisher, every file checked, into the folder that build expects.

    Goes on where it was stopped; does nothing where the corpus is there. Its licence is shown first.

    [bold]Examples[/]

      ser-features download ravdess

      ser-features download cremad --corpora ~/speech --accept-licence
    """
    from data.download.download import download as run
    from data.download.download import find_complete
    from data.download.offers import offer
    from data.download.web import Web
    from featurestore.places.durable import storage_errors

    offered = offer(name)
    with storage_errors(corpora):
        found = find_complete(offered.corpus, corpora)
        if found is None:
            _accept(offered, accepted=accept_licence)
            web = Web(notify=lambda sentence: err.print(sentence, markup=False))
            found = run(offered, corpora, web, ConsoleProgress())
    print_json(_json(found)) if json else out.print(_text(found, corpora), markup=False)


def _accept(offered: Offer, *, accepted: bool) -> None:
    """Show what the licence asks and get a yes to it.

    Raises :class:`UsageError` where nobody can be asked, :class:`StoppedError` for a no.
    """
    corpus = offered.corpus
    err.print(
        f"{corpus.title}\n"
        f"  licence    {corpus.licence}: {offered.conditions}\n"
        f"  home page  {corpus.home_page}\n"
        f"  size       about {offered.about_bytes / 1e6:,.0f} MB to download, "
        f"{offered.about_unpacked_bytes / 1e6:,.0f} MB as a folder",
        markup=False,
    )
    if accepted:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"nobody is here to accept the licence of {corpus.name}; read it at {corpus.home_page} and add "
            f"--accept-licence"
        )
    try:
        yes = typer.confirm("Do you accept these conditions?", err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        yes = False
    if not yes:
        raise StoppedError("the licence was not accepted; nothing was downloaded")


def _next(found: Downloaded, corpora: Path) -> str:
    place = "" if corpora == Path("corpora") else f" --corpora {shlex.quote(str(corpora))}"
    return f"ser-features build --datasets {found.corpus.name}{place}"


def _text(found: Downloaded, corpora: Path) -> str:
    scan, expected = found.scan, found.corpus.expected_clips
    speakers = len({clip.speaker for clip in scan.clips})
    clips = f"{len(scan.clips):,} of {expected:,} clips"
    how = "was there before" if found.was_there else f"{found.fetched_bytes / 1e6:,.1f} MB fetched"
    lines = [
        f"{found.corpus.name} in {scan.root}: {clips}, {speakers} speakers; {how}",
        *(f"  {notice}" for notice in scan.notices),
        f"next: {_next(found, corpora)}",
    ]
    return "\n".join(lines)


def _json(found: Downloaded) -> dict[str, Any]:
    return {
        "corpus": found.corpus.name,
        "path": str(found.scan.root),
        "clips": len(found.scan.clips),
        "expected_clips": found.corpus.expected_clips,
        "speakers": len({clip.speaker for clip in found.scan.clips}),
        "was_there": found.was_there,
        "fetched_bytes": found.fetched_bytes,
        "licence": found.corpus.licence,
        "notices": list(found.scan.notices),
    }
