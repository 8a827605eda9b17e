from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.errors import DeviceError, RunError, StoreNotFoundError, UsageError
from schemas.overrides import override
from schemas.recipe import Recipe, load_recipe
from training.plan.make import plan
from training.plan.plan import _absent_classes
from training.runs.observer import SideSize
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder, RunRecord
from training.samples.samples import Samples
from training.splits.side import SIDES, Side
from training.train import train

RECIPE = override(load_recipe("four-corpora-a"), ["datasets=null"])
VIEW_0 = ("train.views=[0]",)


def changed(**parts: Any) -> Recipe:
    content = RECIPE.model_dump()
    for name, value in parts.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) else value
    return Recipe.model_validate(content)


def test_overrides_are_part_of_the_recipe_that_is_recorded(demo_store: Path) -> None:
    planned = plan(
        TrainRequest(
            store=demo_store,
            recipe=RECIPE,
            changes=("train.views=[4, 0]", "train.epochs=3", "train.batch_size=5"),
            seed=9,
        )
    )
    train = planned.record.recipe.train
    assert (train.views, train.epochs, train.batch_size, planned.record.seed) == ((0, 4), 3, 5, 9)
    assert planned.split.seed == 9
    assert planned.notices == ()


def test_emotion_and_gender_by_emotion_models_are_split_alike(demo_store: Path) -> None:
    """So that A and C, and models of six and of seven classes, compare."""
    both = plan(TrainRequest(store=demo_store, recipe=RECIPE))
    alone = plan(
        TrainRequest(store=demo_store, recipe=changed(labels={"set": "common6", "target": "emotion"}))
    )
    assert both.split == alone.split
    assert len(alone.samples["test"]) < len(both.samples["test"])
    assert alone.notices == ("left out 16 of 112 clips: with an emotion that is not in the label set",)


def test_a_class_without_training_clips_is_noticed(demo_store: Path) -> None:
    planned = plan(TrainRequest(store=demo_store, recipe=changed(labels={"set": "ravdess8"})))
    assert planned.notices == ("no training clip is female_calm or male_calm: the model cannot learn it",)


@pytest.mark.parametrize("model", ["A", "functionals"])
def test_a_single_class_is_refused_by_its_name(demo_store: Path, model: str) -> None:
    only = override(RECIPE, [f"model.name={model}", "labels.target=emotion", "where=emotion == 'angry'"])
    with pytest.raises(RunError, match="all training clips are of the class 'angry'"):
        plan(TrainRequest(store=demo_store, recipe=only))


def test_a_store_of_fewer_views_than_the_recipe_lists_is_used_and_noticed(demo_store: Path) -> None:
    more = [view.model_dump() for view in RECIPE.views]
    more.append({"name": "pitch+1", "kind": "pitch", "semitones": 1.0})
    planned = plan(TrainRequest(store=demo_store, recipe=changed(views=more)))
    assert planned.record.recipe.train.views == (0, 1, 2, 3, 4, 5, 6)
    (notice,) = planned.notices
    assert notice.startswith("the store holds 6 of the recipe's 7 augmented views")
    assert notice.endswith("build a store with --augment 7")
    chosen = plan(TrainRequest(store=demo_store, recipe=changed(views=more), changes=("train.views=[0, 1]",)))
    assert chosen.notices == (), "whoever chooses views has chosen"


def test_all_views_are_all_of_the_store_also_where_the_recipe_names_some(demo_store: Path) -> None:
    recipe = changed(train={"views": (0, 1)})
    assert plan(TrainRequest(store=demo_store, recipe=recipe)).record.recipe.train.views == (0, 1)
    every = plan(TrainRequest(store=demo_store, recipe=recipe, changes=("train.views=null",)))
    assert every.record.recipe.train.views == (0, 1, 2, 3, 4, 5, 6)


def test_sides_are_counted_by_what_is_learnt_from(demo_store: Path) -> None:
    """Six of seven emotions, and three views."""
    recipe = changed(labels={"set": "common6", "target": "emotion"})
    sides = plan(TrainRequest(store=demo_store, recipe=recipe, changes=("train.views=[0, 1, 2]",))).sides
    assert sides["train"] == SideSize(clips=72, speakers=12, samples=216)
    assert sides["test"] == SideSize(clips=12, speakers=2, samples=12)


def test_classes_that_a_side_lacks_are_noticed_once() -> None:
    def samples(*targets: int) -> Samples:
        found = np.array(targets)
        return Samples(found, found, found)

    sides: dict[Side, Samples] = {"train": samples(0, 1, 2), "validation": samples(0), "test": samples(0, 1)}
    assert _absent_classes(("a", "b", "c", "d"), sides) == [
        "no training clip is d: the model cannot learn it",
        "no validation clip is b or c: the choice of the best epoch ignores it",
        "no test clip is c: UA and macro-F1 are over the other classes",
    ]


def test_samples_that_do_not_fit_where_they_are_wanted_are_a_sentence(
    demo_store: Path, tmp_path: Path
) -> None:
    hardware = Hardware("cpu", loader="ram", memory=10**6)
    with pytest.raises(RunError, match=r"use --loader stream, or train on fewer views"):
        train(TrainRequest(store=demo_store, recipe=RECIPE, output=tmp_path / "runs", hardware=hardware))


def test_a_relative_store_is_kept_and_found_again(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo_store.parent)
    planned = plan(
        TrainRequest(store=Path(demo_store.name), recipe=RECIPE, changes=("train.views=[0, 2]",), seed=4)
    )
    assert planned.record.store == demo_store.name
    folder = RunFolder.create(tmp_path, "run")
    folder.write_json("split.json", planned.split.to_json())
    folder.write_record(planned.record)
    again = plan(TrainRequest(resume=folder.path))
    assert again.resume_command(folder.path) == f"ser-train --resume {folder.path}"
    assert again.record == planned.record
    assert again.split == planned.split
    for side in SIDES:
        for name in ("clips", "views", "targets"):
            assert (getattr(again.samples[side], name) == getattr(planned.samples[side], name)).all()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreNotFoundError, match=r"started with --store demo\.zarr.*or give --store"):
        plan(TrainRequest(resume=folder.path))
    told = plan(TrainRequest(resume=folder.path, store=demo_store)).resume_command(folder.path)
    assert told == f"ser-train --resume {folder.path} --store {demo_store}"


def test_a_resumed_run_notices_what_changed(demo_store: Path, tmp_path: Path) -> None:
    planned = plan(TrainRequest(store=demo_store, recipe=RECIPE, changes=VIEW_0, hardware=Hardware("cpu")))
    folder = RunFolder.create(tmp_path, "run")
    folder.write_json("split.json", planned.split.to_json())
    before = planned.record.model_dump()
    folder.write_record(RunRecord.model_validate(before))
    assert plan(TrainRequest(store=demo_store, resume=folder.path)).notices == ()
    old = {**before, "versions": {**before["versions"], "torch": "1.0"}}
    folder.write_record(RunRecord.model_validate(old))
    (notice,) = plan(TrainRequest(store=demo_store, resume=folder.path)).notices
    assert notice.startswith(f"the run was started with torch 1.0 (now {before['versions']['torch']})")
    folder.write_record(RunRecord.model_validate({**before, "classes": before["classes"][::-1]}))
    with pytest.raises(RunError, match=r"trained on the classes male_surprised.* now has female_angry"):
        plan(TrainRequest(store=demo_store, resume=folder.path))


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU here")
def test_a_resumed_run_wants_the_device_that_it_was_started_on(demo_store: Path, tmp_path: Path) -> None:
    planned = plan(TrainRequest(store=demo_store, recipe=RECIPE, changes=VIEW_0))
    record = RunRecord.model_validate({**planned.record.model_dump(), "device": "cuda"})
    folder = RunFolder.create(tmp_path, "run")
    folder.write_json("split.json", planned.split.to_json())
    folder.write_record(record)
    with pytest.raises(DeviceError, match="CUDA"):
        plan(TrainRequest(store=demo_store, resume=folder.path))
    (notice,) = plan(TrainRequest(store=demo_store, resume=folder.path, hardware=Hardware("cpu"))).notices
    assert notice.startswith("the run was started on cuda and continues on cpu")


def test_a_run_json_that_is_none_is_a_sentence(demo_store: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": 1}')
    with pytest.raises(RunError, match=r"run\.json.*start a new run"):
        plan(TrainRequest(store=demo_store, resume=tmp_path))


def test_a_new_run_needs_store_and_recipe() -> None:
    with pytest.raises(UsageError, match="needs a store and a recipe"):
        plan(TrainRequest(recipe=RECIPE))


def test_corpora_that_the_recipe_does_not_name_are_used_where_it_finds_none_of_its_own(
    demo_store: Path,
) -> None:
    named = plan(TrainRequest(store=demo_store, recipe=changed(datasets=("ravdess", "tess"))))
    assert named.record.recipe.datasets is None
    assert named.notices == (
        "the store has none of the recipe's corpora (ravdess, tess); the whole store is used",
    )
    part = plan(TrainRequest(store=demo_store, recipe=changed(datasets=("ravdess", "demo"))))
    assert part.notices == ("the recipe trains on ravdess, demo, but the store lacks ravdess",)
    assert part.split == named.split
