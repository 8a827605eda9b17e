from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from featurestore.store import FeatureStore
from schemas.errors import DeviceError, LeakageError, RunError, StorageError, UnknownNameError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.report.result import RunResult
from training.runs.observer import SideSize, SilentObserver, Start
from training.runs.request import Hardware
from training.runs.run import RunFolder, RunRecord, run_name
from training.train import TrainRequest, train

RECIPE = load_recipe("four-corpora-a")
CPU = Hardware(device="cpu")


class Listener(SilentObserver):
    def __init__(self) -> None:
        self.loading = self.read = self.batches = 0

    def loading_started(self, samples: int) -> None:
        self.loading = samples

    def loaded(self, samples: int) -> None:
        self.read += samples

    def batch_done(self) -> None:
        self.batches += 1


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def result(demo_store: Path, tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> RunResult:
    """Two epochs on the demo store, of which view 3 is added to the original."""
    request = TrainRequest(
        store=demo_store,
        recipe=RECIPE,
        changes=("train.views=[0, 3]", "train.epochs=2", "train.batch_size=16"),
        seed=1,
        hardware=CPU,
        output=tmp_path_factory.mktemp("runs"),
    )
    return train(request, listener)


def read_json(result: RunResult, name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((result.folder.path / name).read_text())
    return content


def test_a_run_folder_holds_everything(result: RunResult) -> None:
    names = {path.name for path in result.folder.path.iterdir() if not path.name.startswith(".")}
    assert names == {
        "run.json",
        "split.json",
        "audit.json",
        "normalisation.safetensors",
        "checkpoints",
        "history.csv",
        "curves.png",
        "tensorboard",
        "metrics.json",
        "predictions.csv",
        "validation.csv",
        "reliability.png",
        "confusion.png",
        "confusion-emotion.png",
        "README.md",
        "report.html",
        "hashes.json",
    }
    assert {p.name for p in result.folder.checkpoints.iterdir()} == {"last.safetensors", "best.safetensors"}
    assert result.folder.path.name.endswith("-four-corpora-a-speaker")
    for name in ("curves", "confusion", "confusion-emotion"):
        assert (result.folder.path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_in_a_run_names_a_folder_of_this_machine(result: RunResult, demo_store: Path) -> None:
    here = (str(demo_store.parent).encode(), str(result.folder.path.parent).encode(), b"/home/")
    for path in result.folder.path.rglob("*"):
        if path.is_file():
            assert not [place for place in here if place in path.read_bytes()], path


def test_run_json_holds_what_prediction_needs(result: RunResult, demo_store: Path) -> None:
    record = result.folder.record()
    store = FeatureStore.open(demo_store)
    assert record.store_spec == store.spec
    assert record.store_digest == store.digest
    assert record.store is None, "an absolute path is not kept"
    assert record.features == ("mel", "mfcc", "rms", "zcr")
    assert len(record.classes) == 14
    assert record.recipe.train.views == (0, 3)
    assert (record.recipe.train.epochs, record.recipe.train.batch_size, record.seed) == (2, 16, 1)
    assert load_file(result.folder.normalisation)["offset"].shape == (170,)


def test_training_reads_the_views_asked_for_and_the_tests_originals_alone(
    result: RunResult, listener: Listener
) -> None:
    # 16 speakers of 7 clips; of 8 of each gender, 6 train, 1 validates, 1 is tested.
    assert dict(result.audit.clips) == {"train": 84, "validation": 14, "test": 14}
    assert dict(result.audit.samples) == {"train": 168, "validation": 14, "test": 14}
    assert listener.loading == listener.read == 196
    assert listener.batches == 2 * 11
    assert read_json(result, "audit.json")["clean"] is True


def test_metrics_are_those_of_the_confusion_matrix(result: RunResult) -> None:
    metrics = read_json(result, "metrics.json")
    assert metrics["protocol"] == "speaker"
    assert (metrics["recipe"], metrics["model"], metrics["seed"]) == ("four-corpora-a", "A", 1)
    assert (metrics["store_digest"], metrics["views"]) == (result.record.store_digest, [0, 3])
    for of in ("own", "emotion"):
        scores = metrics["test"][of]  # type: ignore[index]
        confusion = np.array(scores["confusion"])
        assert confusion.sum() == 14
        assert len(scores["classes"]) == len(confusion)
        row = ", ".join(map(str, confusion[0]))
        assert f"[{row}]" in (result.folder.path / "metrics.json").read_text(), "a row a line"
        assert scores["wa"] == pytest.approx(np.trace(confusion) / 14)
        rows = confusion.sum(axis=1)
        assert scores["ua"] == pytest.approx((np.diag(confusion) / np.maximum(rows, 1))[rows > 0].mean())


def test_history_is_in_the_table_and_in_tensorboard(result: RunResult) -> None:
    rows = list(csv.DictReader((result.folder.path / "history.csv").open()))
    assert [float(row["validation_loss"]) for row in rows] == [r.validation_loss for r in result.history]
    events = EventAccumulator(str(result.folder.path / "tensorboard"))
    events.Reload()
    shown = [(event.step, event.value) for event in events.Scalars("loss/validation")]
    assert shown == [(r.epoch, pytest.approx(r.validation_loss)) for r in result.history]


def test_results_name_their_protocol_first(result: RunResult) -> None:
    assert result.report.startswith("speaker-independent (protocol: speaker): UA ")
    card = (result.folder.path / "README.md").read_text()
    assert card.startswith("# Speech emotion classifier: model A, trained on demo\n")
    assert "## Result: speaker-independent (protocol: speaker)\n\n14 test clips of 2 speakers" in card
    _, _, validation = card.partition("| validation | UA | WA | macro-F1 |\n")
    assert validation.splitlines()[1].startswith("| gender × emotion (14 classes) | ")
    assert "| demo | " in card
    assert "| female | " in card
    assert "| surprised | " in card
    assert "2 epochs: the limit was reached. Views: 0, 3." in card
    assert "learning rate 0.001 " in card
    assert "batch 16" in card
    assert "Seed 1, CPU threads 1." in card
    assert "Training and test share the only test sentence of demo." in card
    assert RECIPE.description in card.partition("## Recipe")[2]
    assert f"| gender × emotion (14 classes) | {100 * result.test.own.ua:.1f} % |" in card
    assert "Synthetic demo voices: none needed" in card


def test_resuming_a_finished_run_gives_the_same_result_again(result: RunResult, demo_store: Path) -> None:
    before = (result.folder.path / "metrics.json").read_bytes()
    again = train(TrainRequest(store=demo_store, resume=result.folder.path, hardware=CPU))
    assert again.history == result.history
    assert (result.folder.path / "metrics.json").read_bytes() == before


def test_resuming_on_another_store_is_refused(result: RunResult, demo_store: Path, tmp_path: Path) -> None:
    other = RunFolder.create(tmp_path, "other")
    other.write_record(
        RunRecord.model_validate({**result.folder.record().model_dump(), "store_digest": "sha256:other"})
    )
    with pytest.raises(RunError, match=r"was trained on another store \(sha256:other\)"):
        train(TrainRequest(store=demo_store, resume=other.path))


def test_a_tampered_split_is_refused_before_training(
    result: RunResult, demo_store: Path, tmp_path: Path
) -> None:
    other = RunFolder.create(tmp_path, "other")
    split = read_json(result, "split.json")
    moved = dict(list(split["test"].items())[:1])  # type: ignore[attr-defined]
    other.write_json("split.json", {**split, "train": {**split["train"], **moved}})  # type: ignore[dict-item]
    other.write_record(result.folder.record())
    with pytest.raises(LeakageError, match="speaker overlap"):
        train(TrainRequest(store=demo_store, resume=other.path))


def test_a_resumed_run_takes_no_overrides(result: RunResult, demo_store: Path) -> None:
    with pytest.raises(UsageError, match=r"leave out train\.epochs=9, --seed,"):
        train(TrainRequest(store=demo_store, resume=result.folder.path, changes=("train.epochs=9",), seed=3))
    with pytest.raises(UsageError, match="give --store"):
        train(TrainRequest(resume=result.folder.path))
    with pytest.raises(RunError, match="not a run folder"):
        train(TrainRequest(store=demo_store, resume=demo_store))


def copied(result: RunResult, place: Path) -> Path:
    """Copy of a run that may be changed."""
    return Path(shutil.copytree(result.folder.path, place / "run"))


@pytest.mark.parametrize("obstacle", [".lock", "tensorboard", "history.csv", "metrics.json"])
def test_a_run_that_cannot_be_written_is_a_sentence_with_the_next_step(
    result: RunResult, demo_store: Path, tmp_path: Path, obstacle: str
) -> None:
    folder = copied(result, tmp_path)
    if (folder / obstacle).is_dir():
        shutil.rmtree(folder / obstacle)
        (folder / obstacle).write_text("a file in the way")
    else:
        (folder / obstacle).unlink(missing_ok=True)
        (folder / obstacle).mkdir()
    with pytest.raises(StorageError, match=rf"cannot write .*{obstacle}"):
        train(TrainRequest(store=demo_store, resume=folder))


def test_a_run_is_resumed_with_the_threads_that_it_was_begun_with(
    result: RunResult, demo_store: Path, tmp_path: Path
) -> None:
    assert result.record.threads == torch.get_num_threads() == 1
    folder = copied(result, tmp_path)
    RunFolder(folder).write_record(RunRecord.model_validate({**result.record.model_dump(), "threads": 2}))
    heard: list[Start] = []

    class Hearer(SilentObserver):
        def started(self, start: Start) -> None:
            heard.append(start)

    try:
        train(TrainRequest(store=demo_store, resume=folder), Hearer())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    (start,) = heard
    assert (start.folder, start.device, start.threads) == (folder, "cpu", 2)
    assert start.sides["train"] == SideSize(clips=84, speakers=12, samples=168)


def test_a_run_that_was_stopped_before_its_plan_was_written_leaves_no_folder(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(folder: RunFolder, name: str, value: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "write_json", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(TrainRequest(store=demo_store, recipe=RECIPE, changes=("train.views=[0]",), output=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_two_processes_cannot_train_one_run(result: RunResult, demo_store: Path) -> None:
    from filelock import FileLock

    with (
        FileLock(result.folder.path / ".lock"),
        pytest.raises(RunError, match="another process is training"),
    ):
        train(TrainRequest(store=demo_store, resume=result.folder.path))


def test_a_request_that_is_wrong_leaves_no_folder(demo_store: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    wrong = [
        (
            TrainRequest(store=demo_store, recipe=RECIPE, changes=("model.name=Z",), output=runs),
            UnknownNameError,
        ),
        (
            TrainRequest(store=demo_store, recipe=RECIPE, changes=("train.views=[0, 9]",), output=runs),
            UsageError,
        ),
        (TrainRequest(store=demo_store, recipe=RECIPE, changes=("train.epochs=0",), output=runs), UsageError),
        (TrainRequest(store=demo_store, output=runs), UsageError),
    ]
    for request, error in wrong:
        with pytest.raises(error):
            train(request)
    assert not runs.exists()


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU here")
def test_cuda_without_a_gpu_is_a_sentence(demo_store: Path) -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        train(TrainRequest(store=demo_store, recipe=RECIPE, hardware=Hardware(device="cuda")))


def test_run_folders_never_overwrite_each_other(result: RunResult, tmp_path: Path) -> None:
    created, recipe = result.record.created, result.record.recipe
    name = run_name(created, recipe, "speaker", RECIPE)
    assert name == result.folder.path.name
    other = override(recipe, ["model.name=functionals"])
    assert run_name(created, other, "speaker", RECIPE).endswith("-four-corpora-a-functionals-speaker")
    names = [RunFolder.create(tmp_path, name).path.name for _ in range(3)]
    assert names == [name, f"{name}-2", f"{name}-3"]


TRAIN = """
import os, signal, sys
from pathlib import Path
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.runs.observer import SilentObserver
from training.runs.request import Hardware
from training.runs.request import Hardware, TrainRequest
from training.train import train

class Killer(SilentObserver):
    epoch = 0
    def epoch_started(self, epoch, batches, done):
        self.epoch = epoch
        self.batches = done
    def batch_done(self):
        self.batches += 1
        if [str(self.epoch), str(self.batches)] == sys.argv[3].split("."):
            os.kill(os.getpid(), signal.SIGKILL)

store, place, kill = sys.argv[1:]
hardware = Hardware(device="cpu", save_every=0.0)  # after every batch
if Path(place).is_dir():
    request = TrainRequest(store=Path(store), resume=next(Path(place).iterdir()), hardware=hardware)
else:
    changes = ("train.views=[0, 1]", "train.epochs=3", "train.batch_size=16")
    request = TrainRequest(store=Path(store), recipe=load_recipe("four-corpora-a"), changes=changes,
                           output=Path(place), hardware=hardware)
train(request, Killer())
"""


@pytest.mark.slow
def test_a_run_that_was_killed_with_sigkill_ends_with_the_metrics_of_one_that_was_not(
    demo_store: Path, tmp_path: Path
) -> None:
    def run(place: str, kill_at: str) -> int:
        command = [sys.executable, "-c", TRAIN, str(demo_store), str(tmp_path / place), kill_at]
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        return subprocess.run(command, check=False, env=environment).returncode

    assert run("whole", "never") == 0
    assert run("killed", "1.4") == -signal.SIGKILL
    assert run("killed", "2.7") == -signal.SIGKILL
    assert run("killed", "2.9") == -signal.SIGKILL
    assert run("killed", "3.1") == -signal.SIGKILL
    assert run("killed", "never") == 0
    whole, killed = (next((tmp_path / place).iterdir()) for place in ("whole", "killed"))
    for name in ("metrics.json", "split.json", "normalisation.safetensors", "checkpoints/best.safetensors"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
