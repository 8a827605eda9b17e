"""Runs that are pushed, listed, pulled, and given by URL: the same bytes, the same predictions, no store."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from featurestore.format.layout import STORE_JSON
from featurestore.format.run_versions import read_run_list
from featurestore.format.versions import version_id
from featurestore.places.folder import Folder
from featurestore.sharing.push import push as push_store
from featurestore.store import FeatureStore
from schemas.errors import RunError, SerError, StorageError, StoreDamagedError, StoreNotFoundError, UsageError
from tests.commands import run as command
from tests.servers.proxy import Proxy
from tests.servers.s3 import new_bucket
from tests.servers.web import Web
from training.comparison.names import name_folders
from training.predict.ensemble import Ensemble
from training.runs.elsewhere import local_run, single_run
from training.runs.hashes import RESUMED_FROM
from training.runs.published import find_run, store_beside
from training.sharing.pull_run import pull_run
from training.sharing.push_run import push_run
from training.verify import verify_run


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, empty."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=["folder", "s3", pytest.param("sftp", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of each kind to which one can push."""
    match request.param:
        case "folder":
            return str(tmp_path / "published")
        case "s3":
            return str(request.getfixturevalue("s3_url"))
        case _:
            return str(request.getfixturevalue("sftp").url(tmp_path / "published"))


def _files_of(run: Path) -> dict[str, bytes]:
    """The files of a run that are shared, read without this program's help; not the rewritten hashes."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file()
        and path.name not in (".lock", "hashes.json", "published.json")
        and not path.as_posix().endswith(RESUMED_FROM)
    }


def test_a_series_is_pushed_and_pulled_as_it_is(url: str, series: Path, tmp_path: Path) -> None:
    report = push_run(series, url)
    assert report.url == f"{url}/runs/{series.name}"
    assert report.bytes_sent > 0
    again = push_run(series, url)
    assert (again.bytes_sent, again.digest, again.versions) == (0, report.digest, 1)
    copy = tmp_path / "copy"
    pull_run(report.url, copy)
    assert _files_of(copy) == _files_of(series)
    assert verify_run(copy).ok
    assert pull_run(report.url, copy).bytes_fetched == 0
    (tmp_path / "elsewhere").mkdir()
    renamed = Path(shutil.move(copy, tmp_path / "elsewhere" / series.name))
    assert push_run(renamed, url).digest == report.digest


@pytest.mark.parametrize("kind", ["network", "linear", "series"])
def test_a_run_whose_store_is_gone_predicts_by_url(
    kind: str,
    request: pytest.FixtureRequest,
    clip: Path,
    web: Web,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_cache: Path,
) -> None:
    run: Path = request.getfixturevalue(kind)
    push_run(run, web.root)

    def refuse(*arguments: object) -> None:
        raise AssertionError("a store was opened")

    monkeypatch.setattr(FeatureStore, "open", refuse)
    monkeypatch.chdir(tmp_path)
    expected = Ensemble.open([run], "cpu").predict(clip)
    address = f"{web.url}/runs/{run.name}"
    shown = json.loads(command("ser-predict", address, clip, "--json").stdout)
    assert [each["run"] for each in shown["models"]] == [address]
    assert expected.probabilities is not None
    found = Ensemble.open([address], "cpu").predict(clip).probabilities
    assert found is not None
    assert np.array_equal(found, expected.probabilities)
    assert own_cache.is_dir()
    web.requests.clear()
    local_run(address)
    assert (
        len([path for _, path, _ in web.requests if not path.endswith(("latest.json", "published.json"))])
        == 0
    )


def test_a_place_lists_its_stores_and_the_runs_from_each(
    demo_store: Path,
    small_store: Path,
    linear: Path,
    series: Path,
    network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, version = tmp_path / "lab", version_id(FeatureStore.open(demo_store).digest)
    push_run(linear, place)
    alone = command("ser-features", "info", place).stdout
    assert "trained on stores that are elsewhere" in alone
    assert linear.name in alone
    push_store(small_store, place)
    push_store(demo_store, place)
    assert push_run(series, place).store_version == version
    printed = command("ser-features", "info", place).stdout
    assert "2 versions" in printed
    assert f"trained on version {version}" in printed
    assert "elsewhere" not in printed
    found = json.loads(command("ser-features", "info", place, "--json").stdout)
    assert [each["store_version"] for each in found["runs"]] == [version, version]
    assert {each["name"] for each in found["runs"]} == {linear.name, series.name}
    of_run = command("ser-features", "info", f"{place}/runs/{series.name}").stdout
    assert "a series, 1 version" in of_run
    # the store that is published with a run is the one that it is tested on
    own = command("ser-evaluate", linear, "--store", demo_store, "--json").stdout
    assert json.loads(command("ser-evaluate", f"{place}/runs/{linear.name}", "--json").stdout) == json.loads(
        own
    )
    digest = FeatureStore.open(demo_store).digest
    for folder, name in ((tmp_path, f"lab/runs/{linear.name}"), (place, f"runs/{linear.name}@1a2b")):
        monkeypatch.chdir(folder)
        assert store_beside(name, digest) == f"{place}@{version}"
    # a store is still opened, pulled and pushed there as before
    command("ser-features", "pull", place, tmp_path / "copy.zarr")
    assert FeatureStore.open(tmp_path / "copy.zarr").digest == FeatureStore.open(demo_store).digest


def test_another_run_of_the_same_name_is_another_version(
    linear: Path, network: Path, tmp_path: Path, s3_url: str, own_cache: Path
) -> None:
    old, new = (
        Path(shutil.copytree(source, tmp_path / folder / "mine"))
        for source, folder in ((linear, "a"), (network, "b"))
    )
    first, second = push_run(old, s3_url), push_run(new, s3_url)
    assert (first.url, first.versions, second.versions) == (second.url, 1, 2)
    assert _files_of(local_run(second.url)) == _files_of(new)
    assert _files_of(local_run(f"{second.url}@{first.digest[7:13]}")) == _files_of(old)
    assert local_run(second.url).name == "mine"
    with pytest.raises(StoreNotFoundError, match="matches no version"):
        local_run(f"{second.url}@0000")
    with pytest.raises(UsageError, match="another run, or another version"):
        pull_run(second.url, old)


def test_folds_of_different_series_are_different_runs(series: Path, tmp_path: Path) -> None:
    place = tmp_path / "lab"
    report = push_run(series / "fold-1", place)
    assert report.url == f"{place}/runs/{series.name}-fold-1"
    assert name_folders([local_run(report.url)]) == {local_run(report.url): f"{series.name}-fold-1"}


def test_a_fold_is_given_by_the_url_of_its_series(
    series: Path, tmp_path: Path, web: Web, own_cache: Path
) -> None:
    push_run(series, web.root)
    for address in (f"{web.url}/runs/{series.name}", f"{web.root}/runs/{series.name}"):
        assert _files_of(local_run(f"{address}/fold-2")) == _files_of(series / "fold-2")
        with pytest.raises(RunError, match="the series has folds 1 to 2"):
            local_run(f"{address}/fold-3")
        assert single_run(address) == local_run(address)
    fold = local_run(f"{web.root}/runs/{series.name}/fold-2")
    assert name_folders([fold]) == {fold: f"{series.name}/fold-2"}


def test_a_series_of_one_fold_is_used_as_this_fold(own_series: Path) -> None:
    assert single_run(own_series) == own_series
    record = json.loads((own_series / "series.json").read_text())
    (own_series / "series.json").write_text(json.dumps({**record, "folds": record["folds"][:1]}))
    assert single_run(own_series) == own_series / "fold-1"


def test_a_matrix_is_not_published_as_a_whole_and_this_is_said_before_training(tmp_path: Path) -> None:
    matrix, place = tmp_path / "matrix", tmp_path / "lab"
    cell = matrix / "cell-02-a-to-b"
    cell.mkdir(parents=True)
    for file in (matrix / "matrix.json", cell / "run.json"):
        file.write_text("{}")
    new = ("--store", tmp_path / "none.zarr", "--protocol", "cross-corpus", "--matrix")
    for program, arguments, example in (
        ("ser-train", (*new, "--push", place), "MATRIX/cell-01-…"),
        ("ser-train", ("--resume", matrix, "--push", place), cell),
        ("ser-features", ("push", matrix, place), cell),
    ):
        refused = " ".join(command(program, *arguments, status=2).stderr.split())
        assert "a matrix is not published as a whole; publish the folder of each run, such as" in refused
        assert f"`ser-features push {example} URL`" in refused
    assert not place.exists()


def test_an_interrupted_push_is_invisible_and_resumes(
    series: Path, s3_proxy: Proxy, tmp_path: Path, own_cache: Path
) -> None:
    url = f"s3://{new_bucket(s3_proxy.upstream)}/lab"
    s3_proxy.faults.extend([None] * 24 + ["403"] * 400)
    with pytest.raises(StorageError, match="access is denied"):
        push_run(series, url)
    s3_proxy.forget()
    with pytest.raises(RunError, match="no run is published"):
        find_run(f"{url}/runs/{series.name}")
    report = push_run(series, url)
    assert report.bytes_there > 0
    s3_proxy.faults.extend([None] * 24 + ["403"] * 400)
    with pytest.raises(StorageError, match="access is denied"):
        pull_run(report.url, tmp_path / "copy")
    s3_proxy.forget()
    assert not (tmp_path / "copy" / "series.json").exists()
    assert pull_run(report.url, tmp_path / "copy").bytes_kept > 0
    assert _files_of(tmp_path / "copy") == _files_of(series)


@pytest.mark.parametrize("name", ["metrics.json", "run.json", "checkpoints/best.safetensors"])
def test_a_changed_file_is_not_published(name: str, own: Path, tmp_path: Path) -> None:
    data = bytearray((own / name).read_bytes())
    data[-2] ^= 1 if name.endswith("safetensors") else 0
    (own / name).write_bytes(bytes(data) if name.endswith("safetensors") else bytes(data) + b"\n")
    with pytest.raises(StoreDamagedError, match=f"{name} in .* so nothing was published"):
        push_run(own, tmp_path / "lab")
    with pytest.raises(RunError, match="no run is published"):
        find_run(str(tmp_path / "lab" / "runs" / own.name))


@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "lost"])
def test_a_damaged_file_at_the_source_is_named_and_never_used(
    damage: str, web: Web, linear: Path, own_cache: Path, tmp_path: Path
) -> None:
    push_run(linear, web.root)
    file = next(web.root.rglob("linear.safetensors"))
    data = file.read_bytes()
    match damage:
        case "flip":
            file.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        case "cut":
            file.write_bytes(data[:-1])
        case "longer":
            file.write_bytes(data + bytes(5_000_000))
        case _:
            file.unlink()
    address = f"{web.url}/runs/{linear.name}"
    with pytest.raises(StoreDamagedError, match=r"linear\.safetensors.* published\.json") as caught:
        local_run(address)
    assert "\n" not in str(caught.value)
    assert not [*own_cache.rglob("linear.safetensors"), *own_cache.rglob("run.json")]
    with pytest.raises(StoreDamagedError, match=r"linear\.safetensors"):
        pull_run(address, tmp_path / "copy")
    assert not (tmp_path / "copy" / "run.json").exists()
    file.write_bytes(data)
    assert _files_of(local_run(address)) == _files_of(linear)


def test_two_pushes_at_once_are_both_listed(linear: Path, series: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda run: push_run(run, tmp_path / "lab"), (linear, series)))
    listed = read_run_list(Folder(tmp_path / "lab"))
    assert listed is not None
    assert set(listed.runs) == {linear.name, series.name}


def test_what_is_published_names_no_folder_of_this_machine(
    network: Path, series: Path, tmp_path: Path
) -> None:
    for run in (network, series):
        push_run(run, tmp_path / "lab")
    words = [str(network.parent).encode(), str(series.parent).encode(), str(Path.home()).encode() + b"/"]
    files = [path for path in (tmp_path / "lab").rglob("*.*") if path.is_file()]
    assert len(files) > 30
    assert [path.name for path in files for word in words if word in path.read_bytes()] == []


def test_damage_in_the_cache_is_repaired(web: Web, linear: Path, own_cache: Path) -> None:
    push_run(linear, web.root)
    cached = local_run(f"{web.url}/runs/{linear.name}") / "linear.safetensors"
    assert cached.is_relative_to(own_cache)
    cached.write_bytes(b"damage")
    local_run(f"{web.url}/runs/{linear.name}")
    assert cached.read_bytes() == (linear / "linear.safetensors").read_bytes()


def test_a_pull_takes_only_its_own_folder_and_repairs_it(linear: Path, tmp_path: Path) -> None:
    address = push_run(linear, tmp_path / "lab").url
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"other files \(notes\.txt"):
        pull_run(address, other)
    assert [path.name for path in other.iterdir()] == ["notes.txt"]
    copy = tmp_path / "copy"
    pull_run(address, copy)
    (copy / "metrics.json").write_text("{}")
    assert pull_run(address, copy).bytes_fetched == (linear / "metrics.json").stat().st_size
    assert verify_run(copy).ok


def test_training_publishes_what_it_has_trained(
    linear: Path, demo_store: Path, tmp_path: Path, own_cache: Path
) -> None:
    own = Path(shutil.copytree(linear, tmp_path / "own"))
    place = tmp_path / "lab"
    resume = ("ser-train", "--resume", own, "--store", demo_store, "--push")
    found = json.loads(command(*resume, place, "--json").stdout)
    assert found["published"]["url"] == f"{place}/runs/own"
    assert "others predict with: ser-predict" in command(*resume, place).stdout
    assert _files_of(local_run(f"{place}/runs/own")) == _files_of(own)
    before = _files_of(own)
    refused = command(*resume, "https://lab.org/emotions", status=1)
    assert "web addresses are read-only" in refused.stderr
    (place / "runs" / "own" / "latest.json").write_text("damaged")
    kept = command(*resume, place, status=1)
    assert "is finished, but could not be published" in kept.stderr
    assert f"ser-features push {own} {place}" in kept.stderr.replace("\n", "")
    assert before.keys() == _files_of(own).keys()


def test_an_unfinished_run_is_not_published(own: Path, own_series: Path, tmp_path: Path) -> None:
    (own / "metrics.json").unlink()
    with pytest.raises(
        RunError, match="is not finished, so it cannot be published; finish it with ser-train"
    ):
        push_run(own, tmp_path / "lab")
    (own_series / "hashes.json").unlink()
    with pytest.raises(RunError, match="carries no hashes"):
        push_run(own_series, tmp_path / "lab")
    odd = Path(shutil.copytree(own_series, tmp_path / "my run?"))
    with pytest.raises(UsageError, match="rename it"):
        push_run(odd, tmp_path / "lab")
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize(
    ("program", "arguments", "status", "sentence"),
    [
        ("ser-predict", ["LAB", "CLIP"], 1, "contains runs: give one, such as"),
        ("ser-predict", ["LAB/runs/none", "CLIP"], 1, "is not a run folder"),
        ("ser-predict", ["http://127.0.0.1:9/runs/x", "CLIP"], 1, "refuses the connection"),
        ("ser-predict", ["s3:/lab/runs/x", "CLIP"], 1, "write two slashes"),
        ("ser-evaluate", ["gopher://lab/runs/x"], 1, "gopher"),
        ("ser-evaluate", ["LAB/runs/RUN"], 2, "is not published with it; give --store"),
        ("ser-features", ["pull", "LAB/runs/RUN", "s3://lab/x"], 2, "must be a folder on this machine"),
        ("ser-features", ["pull", "STORE", "s3://lab/x"], 2, "must be a folder on this machine"),
        ("ser-export", ["LAB/runs/RUN@0000", "x.onnx"], 1, "matches no version"),
        ("ser-features", ["pull", "LAB/runs/RUN", "copy", "--features", "mel"], 2, "which has no parts"),
        ("ser-features", ["pull", "LAB/runs/RUN", "LAB"], 2, "other files"),
        ("ser-features", ["push", "SOURCE", "LAB@1a2b"], 2, "published versions cannot be changed"),
        ("ser-features", ["push", "SOURCE", "STORE"], 2, "is itself a store"),
        ("ser-train", ["--store", "LAB/runs/RUN"], 1, "is a published run, not a feature store"),
        ("ser-train", ["--resume", "s3://lab/runs/x"], 2, "published runs never change"),
        ("ser-train", ["--resume", "LAB/runs/RUN/versions/VERSION"], 2, "is inside the feature store"),
    ],
)
def test_a_mistake_is_one_sentence(
    program: str,
    arguments: list[str],
    status: int,
    sentence: str,
    linear: Path,
    demo_store: Path,
    clip: Path,
    tmp_path: Path,
) -> None:
    place = tmp_path / "lab"
    version = push_run(linear, place).version
    words = {"RUN": linear.name, "LAB": place, "CLIP": clip, "SOURCE": linear, "STORE": demo_store}
    for word, value in {**words, "VERSION": version}.items():
        arguments = [each.replace(word, str(value)) for each in arguments]
    result = command(program, *arguments, status=status, cwd=tmp_path)
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "copy").exists()


def test_a_store_is_not_taken_for_a_run(demo_store: Path, tmp_path: Path) -> None:
    push_store(demo_store, tmp_path / "lab")
    with pytest.raises(SerError, match="is a feature store, not a run"):
        local_run(tmp_path / "lab")
    assert STORE_JSON in {path.name for path in (tmp_path / "lab").rglob("*")}
