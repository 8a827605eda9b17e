"""A part of a store is the store that a build with the smaller specification makes, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.format.layout import STORE_JSON
from featurestore.format.seal import seal, unseal
from featurestore.plan.spec import SpecRequest
from featurestore.sharing.pack import pack
from featurestore.sharing.pull import pull
from featurestore.sharing.push import push
from featurestore.sharing.selection import PartSelection
from featurestore.sharing.unpack import unpack
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import SerError, StoreDamagedError, UnknownNameError, UsageError
from tests.featurestore.sharing.conftest import digest_of, files_of
from tests.servers.web import web_server

RECIPE = """
name = "parts"
[audio]
sample_rate = 8000
duration_s = 0.5
[spectral]
n_fft = 256
hop_length = 128
{features}
{views}
[model]
name = "A"
"""
FEATURES = {
    "mel": '[[features]]\nkind = "mel"\nn_mels = 16',
    "mfcc": '[[features]]\nkind = "mfcc"\nn_mels = 16\nn_mfcc = 8',
    "delta": '[[features]]\nkind = "delta"',
    "rms": '[[features]]\nkind = "rms"',
    "zcr": '[[features]]\nkind = "zcr"',
}
VIEWS = {
    "noise": '[[views]]\nname = "noise"\nkind = "noise"\nsnr_db = [10.0, 30.0]',
    "fast": '[[views]]\nname = "fast"\nkind = "speed"\nfactor = 1.25',
    "later": '[[views]]\nname = "later"\nkind = "shift"\nfraction = [0.1, 0.3]',
}


def build_with(features: list[str], views: list[str], out: Path, corpora: Path) -> BuildReport:
    """Build the demo corpus with these features and views."""
    recipe = out.with_suffix(".toml")
    blocks = {
        "features": "\n".join(FEATURES[f] for f in features),
        "views": "\n".join(VIEWS[v] for v in views),
    }
    recipe.write_text(RECIPE.format(**blocks))
    return build(BuildRequest(out, corpora, "demo", SpecRequest(recipe=str(recipe))))


@pytest.fixture(scope="module")
def whole(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five features and three views of 112 clips. Shared: do not change it."""
    out = tmp_path_factory.mktemp("whole") / "whole.zarr"
    build_with(list(FEATURES), list(VIEWS), out, small_demo)
    return out


@pytest.mark.parametrize(
    ("features", "views"),
    [
        (["mel"], ["fast"]),
        (["mfcc", "delta", "zcr"], ["noise", "later"]),
        (["rms", "zcr"], ["noise", "fast", "later"]),
        (["rms"], ["fast", "later"]),
        (["mel", "zcr"], ["later"]),
    ],
)
def test_a_part_is_what_a_build_makes(
    features: list[str], views: list[str], whole: Path, small_demo: Path, tmp_path: Path
) -> None:
    part, truth = tmp_path / "part.zarr", tmp_path / "truth.zarr"
    report = pull(whole, part, PartSelection(features=tuple(features), views=("original", *views)))
    build_with(features, views, truth, small_demo)
    assert report.digest == digest_of(part) == digest_of(truth)
    assert report.part_of == FeatureStore.open(part).document.part_of == digest_of(whole)
    assert files_of(part).keys() == files_of(truth).keys()
    assert verify(part, full=True).ok
    again = build_with(features, views, part, small_demo)
    assert again.units_built == 0
    assert again.document.part_of == digest_of(whole)


@pytest.mark.slow
def test_a_part_of_several_units_is_what_a_build_makes(whole_demo: Path, tmp_path: Path) -> None:
    build_with(["mel", "zcr", "rms"], ["noise", "fast"], tmp_path / "whole.zarr", whole_demo)
    build_with(["mel", "rms"], ["fast"], tmp_path / "truth.zarr", whole_demo)
    report = pull(
        tmp_path / "whole.zarr",
        tmp_path / "part.zarr",
        PartSelection(features=("rms", "mel"), views=("fast",)),
    )
    assert report.digest == digest_of(tmp_path / "truth.zarr")
    assert FeatureStore.open(tmp_path / "part.zarr").document.datasets["demo"].units == 3


def test_a_corpus_alone_is_the_store_without_the_other(
    tiny_store: Path, grown_store: Path, tmp_path: Path
) -> None:
    push(grown_store, tmp_path / "published")
    with web_server(tmp_path / "published") as web:
        report = pull(web.url, tmp_path / "part.zarr", PartSelection(datasets=("demo",)))
        asked = {path for _, path, _ in web.requests}
    assert report.digest == digest_of(tiny_store)
    assert not [path for path in asked if "/mine/" in path]
    different = {
        name for name, data in files_of(tmp_path / "part.zarr").items() if files_of(tiny_store)[name] != data
    }
    assert different == {STORE_JSON}


def test_only_what_is_asked_for_is_fetched(url: str, whole: Path, tmp_path: Path) -> None:
    push(whole, url)
    report = pull(url, tmp_path / "part.zarr", PartSelection.of(features="rms", views="fast"))
    assert report.bytes_fetched < 0.2 * sum(len(data) for data in files_of(whole).values())
    store, truth = FeatureStore.open(tmp_path / "part.zarr"), FeatureStore.open(whole)
    assert store.spec.view_names == ("original", "fast")
    clips = range(100, 110)
    assert np.array_equal(store.read(clips, [1])["rms"], truth.read(clips, [2], ["rms"])["rms"])
    assert np.array_equal(store.valid_frames(clips, [1]), truth.valid_frames(clips, [2]))
    speakers = store.manifest["speaker"].unique()[:2].tolist()
    part, full = store.statistics(speakers, [1])["rms"], truth.statistics(speakers, [2])["rms"]
    assert (part.count, part.mean.tolist(), part.m2.tolist()) == (
        full.count,
        full.mean.tolist(),
        full.m2.tolist(),
    )


def test_all_of_a_store_is_the_store(whole: Path, tmp_path: Path) -> None:
    names = FeatureStore.open(whole).spec
    selection = PartSelection(("demo",), tuple(names.coefficients), names.view_names)
    assert pull(whole, tmp_path / "copy.zarr", selection).part_of is None
    assert files_of(tmp_path / "copy.zarr") == files_of(whole)


def test_a_part_is_repaired_and_grows_to_the_whole(whole: Path, tmp_path: Path) -> None:
    part, selection = tmp_path / "part.zarr", PartSelection(features=("mel",), views=("later",))
    digest = pull(whole, part, selection).digest
    for name in ("demo/mel/c/1/0/0/0", "records/demo/00000.json", "views.parquet", STORE_JSON):
        (part / name).write_bytes(b"x")
    assert pull(whole, part, selection).digest == digest
    assert verify(part, full=True).ok
    (part / "records/demo/00000.parquet").unlink()
    assert pull(whole, part, selection).bytes_fetched < 10_000
    assert verify(part, full=True).ok
    pull(whole, part)
    assert files_of(part) == files_of(whole)


def test_a_part_of_a_part_says_of_which(whole: Path, tmp_path: Path) -> None:
    first = pull(whole, tmp_path / "first.zarr", PartSelection(features=("mel", "rms")))
    second = pull(tmp_path / "first.zarr", tmp_path / "second.zarr", PartSelection(features=("rms",)))
    assert second.part_of == first.digest
    assert second.digest == pull(whole, tmp_path / "direct.zarr", PartSelection(features=("rms",))).digest


def test_a_part_is_packed(whole: Path, tmp_path: Path) -> None:
    selection = PartSelection(features=("zcr",), views=("fast",))
    packed = pack(whole, tmp_path / "part.tar", selection)
    unpack(tmp_path / "part.tar", tmp_path / "unpacked.zarr")
    assert packed.digest == digest_of(tmp_path / "unpacked.zarr")
    assert packed.digest == pull(whole, tmp_path / "pulled.zarr", selection).digest


@pytest.mark.parametrize(
    ("selection", "error", "sentence"),
    [
        (
            PartSelection(features=("mell",)),
            UnknownNameError,
            "no feature 'mell'; it has mel, mfcc, delta, rms, zcr",
        ),
        (
            PartSelection(views=("echo",)),
            UnknownNameError,
            "no view 'echo'; it has original, noise, fast, later",
        ),
        (PartSelection(datasets=("tess",)), UnknownNameError, "no corpus 'tess'; it has demo"),
        (PartSelection(features=("delta",)), UsageError, "delta is derived from mfcc; list mfcc, too"),
        (PartSelection.of(features=","), UsageError, "no feature is named; choose from mel"),
    ],
)
def test_what_a_store_has_not_is_one_sentence(
    selection: PartSelection, error: type[SerError], sentence: str, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        pull(whole, tmp_path / "part.zarr", selection)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "part.zarr").exists()


@pytest.mark.parametrize("what", ["hash", "views", "clips"])
def test_records_that_do_not_fit_are_refused(what: str, own_store: Path, tmp_path: Path) -> None:
    """Damaged ones, and those of a stranger which have the hashes that his ``store.json`` gives them."""
    path = own_store / "records/demo/00000.json"
    record = json.loads(unseal(path.read_bytes())[0])
    if what == "clips":
        record["clips"][3] = {"clip_id": 5}
    else:
        record["parameters"] = record["parameters"][:1]
    path.write_bytes(seal(json.dumps(record)))
    if what != "hash":
        resign(own_store, "records/demo/00000.json")
    with pytest.raises(StoreDamagedError) as caught:
        pull(own_store, tmp_path / "part.zarr", PartSelection(features=("mel",)))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "part.zarr").exists()


def resign(store: Path, name: str) -> None:
    """Give a changed object the hash that it has, and the store the digest."""
    from featurestore.format.documents import StoredObject, StoreDocument, read_document, write_document
    from featurestore.places.folder import Folder

    place = Folder(store)
    document = read_document(place, STORE_JSON, StoreDocument)
    objects = {**document.objects, name: StoredObject.of((store / name).read_bytes())}
    changed = document.model_copy(update={"objects": objects})
    signed = changed.model_copy(update={"digest": changed.computed_digest()})
    write_document(place, STORE_JSON, signed)
