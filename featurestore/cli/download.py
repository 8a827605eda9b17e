"""``ser-features download``: downloads a corpus from its publisher."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from featurestore.cli.consent import require_consent
from featurestore.cli.console import ConsoleProgress, after_result, err, out, print_json
from featurestore.cli.options import Corpora, Json
from schemas.messages.counts import format_count

if TYPE_CHECKING:
    from data.download.download import Downloaded
    from data.download.offers import Offer


def download(
    name: Annotated[str, typer.Argument(help="Corpus: ravdess, tess or cremad.")],
    corpora: Corpora = Path("corpora"),
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the corpus's licence without a prompt.")
    ] = False,
    json: Json = False,
) -> None:
    """Download a corpus from its publisher into the folder that build expects, and check every file.

    Shows the licence first. Resumes a stopped download, and does nothing if the
    corpus is complete.

    [bold]Examples[/]

      ser-features download ravdess

      ser-features download cremad --corpora ~/speech --accept-licence
    """
    from data.download.download import download as run
    from data.download.download import find_complete
    from data.download.offers import offer
    from data.download.web import Web
    from featurestore.format.outside import require_outside
    from featurestore.places.durable import storage_errors

    offered = offer(name)
    require_outside(corpora, "--corpora")
    with storage_errors(corpora):
        found = find_complete(offered.corpus, corpora)
        if found is None:
            _accept(offered, accepted=accept_licence)
            web = Web(notify=lambda sentence: err.print(sentence, markup=False))
            found = run(offered, corpora, web, ConsoleProgress())
    with after_result():
        print_json(_json(found)) if json else out.print(_text(found, corpora), markup=False)


def _accept(offered: Offer, *, accepted: bool) -> None:
    """Show the licence and ask the user to accept it, with the errors of :func:`require_consent`."""
    corpus = offered.corpus
    err.print(
        f"{corpus.title}\n"
        f"  licence    {corpus.licence}: {offered.conditions}\n"
        f"  home page  {corpus.home_page}\n"
        f"  size       about {offered.about_bytes / 1e6:,.0f} MB to download, "
        f"{offered.about_unpacked_bytes / 1e6:,.0f} MB unpacked",
        markup=False,
    )
    if not accepted:
        require_consent(corpus.name, corpus.home_page)


def _next_command(found: Downloaded, corpora: Path) -> str:
    option = "" if corpora == Path("corpora") else f" --corpora {shlex.quote(str(corpora))}"
    return f"ser-features build --datasets {found.corpus.name}{option}"


def _text(found: Downloaded, corpora: Path) -> str:
    scan, expected = found.scan, found.corpus.expected_clips
    speakers = len({clip.speaker for clip in scan.clips})
    clips = f"{len(scan.clips):,} of {expected:,} clips"
    how = "already complete" if found.was_there else f"{found.fetched_bytes / 1e6:,.1f} MB downloaded"
    lines = [
        f"{found.corpus.name} in {scan.root}: {clips}, {format_count(speakers, 'speaker')}; {how}",
        *(f"  {notice}" for notice in scan.notices),
        f"next: {_next_command(found, corpora)}",
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
