"""``ser-features report`` on a store in a bucket: the same page, and no more fetched than it needs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from featurestore.format.layout import shard_path
from featurestore.report.findings import findings_json
from featurestore.report.make import make_report
from featurestore.sharing.push import push
from featurestore.store import FeatureStore
from tests.featurestore.report.conftest import MEL, MFCC, RMS, MakeStore, run
from tests.servers.proxy import Proxy
from tests.servers.s3 import new_bucket

TABLES = {"manifest.parquet", "views.parquet", "statistics.parquet"}
COORDINATES = {"demo/frame/c/0", "demo/mel_band/c/0"}


@pytest.fixture(scope="module")
def whole(make: MakeStore, two_corpora: Path) -> Path:
    """A store with more than a report asks for: RMS, and 4 views of 4 units."""
    return make(f"demo,own={two_corpora / 'own'}", features=MEL + MFCC + RMS, corpora=two_corpora)


@dataclass(frozen=True)
class Seen:
    """A report on a store in a bucket: its page, its numbers, and what the server was asked for.

    ``asked`` : objects of the published version, and how often each.
    """

    url: str
    page: str
    numbers: dict[str, Any]
    asked: Counter[str]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this module's own, empty at first."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def seen(
    whole: Path, s3_clients_of_proxy: Proxy, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    """The store, pushed by the name that it has here, and its report by a process that knows the URL."""
    url = f"s3://{new_bucket(s3_clients_of_proxy.upstream)}/made"
    push(whole, url)
    assert not list(cache.iterdir())
    s3_clients_of_proxy.forget()
    folder = tmp_path_factory.mktemp("seen")
    numbers = json.loads(run(url, "--out", "r.html", "--json", cwd=folder).stdout)
    page = (folder / "r.html").read_text(encoding="utf-8")
    return Seen(url, page, numbers, asked(s3_clients_of_proxy, url))


def asked(proxy: Proxy, url: str) -> Counter[str]:
    """Objects of the published version that clients asked the server for, and how often."""
    versions = f"/{url.removeprefix('s3://')}/versions/"
    paths = [unquote(urlsplit(path).path) for method, path, _ in proxy.requests if method == "GET"]
    return Counter(
        path.removeprefix(versions).split("/", 1)[1] for path in paths if path.startswith(versions)
    )


def needed(whole: Path, numbers: dict[str, Any]) -> set[str]:
    """What a report must read: tables, coordinates, the originals, and the examples' units in all views."""
    store = FeatureStore.open(whole)
    size = store.spec.storage.shard_clips
    originals = {
        shard_path(name, feature, 0, unit)
        for name, entry in store.document.datasets.items()
        for feature in ("mel", "mfcc")
        for unit in range(-(-entry.rows // size))
    }
    rows = store.manifest.set_index("clip_id")
    of_examples = {
        shard_path(rows.loc[name, "dataset"], "mel", view, int(rows.loc[name, "row"]) // size)
        for name in (example["clip_id"] for example in numbers["examples"])
        for view in range(len(store.spec.view_names))
    }
    return TABLES | COORDINATES | originals | of_examples


@pytest.mark.slow
def test_the_page_is_that_of_the_store_here_but_for_the_place(
    whole: Path, seen: Seen, tmp_path: Path
) -> None:
    made = make_report(whole, tmp_path / "r.html")
    page, numbers = made.path.read_text(encoding="utf-8"), findings_json(made.findings)
    place = seen.numbers["provenance"]["where"]
    assert place.startswith(seen.url)
    written = f"<code>store.json</code> was written on {numbers['provenance']['copied']}."
    assert written in page
    unknown = "The date of a store at a URL is unknown."
    assert page.replace(written, unknown).replace("made.zarr", place) == seen.page
    for of_the_place in ("where", "copied", "verify", "rebuild"):
        del numbers["provenance"][of_the_place]
    provenance = {name: seen.numbers["provenance"][name] for name in numbers["provenance"]}
    assert {**seen.numbers, "provenance": provenance} == {
        **numbers,
        "page": "r.html",
        "bytes": len(seen.page.encode()),
    }


def test_what_is_needed_is_fetched_once_and_nothing_else(whole: Path, seen: Seen) -> None:
    """Counted by the server, not by us."""
    assert seen.asked == Counter({*needed(whole, seen.numbers), "store.json"})
    left = set(FeatureStore.open(whole).document.objects) - set(seen.asked)
    assert {"demo/rms/c/0/0/0/0", "demo/mfcc/c/1/0/0/0", "demo/mel/c/1/2/0/0"} <= left


def test_what_was_fetched_is_not_fetched_again(seen: Seen, s3_proxy: Proxy, tmp_path: Path) -> None:
    assert make_report(seen.url, tmp_path / "r.html").path.read_text(encoding="utf-8") == seen.page
    assert asked(s3_proxy, seen.url) == Counter(["store.json"])


def test_a_bucket_that_is_not_there_is_told_in_one_sentence(s3_proxy: Proxy, tmp_path: Path) -> None:
    refused = run("s3://no-such-bucket/made", cwd=tmp_path, status=1)
    assert " ".join(refused.stderr.split()) == (
        "error: cannot read s3://no-such-bucket/made/store.json: there is no bucket no-such-bucket; "
        "create it, or check the name and AWS_ENDPOINT_URL"
    )
    assert refused.stdout == ""
    assert not list(tmp_path.iterdir())
