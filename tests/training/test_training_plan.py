from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import RunError, UsageError
from schemas.recipe import Recipe, load_recipe
from training.plan import TrainRequest, plan
from training.run import RunFolder
from training.samples import SIDES

RECIPE = load_recipe("four-corpora-a")


def changed(**parts: Any) -> Recipe:
    content = RECIPE.model_dump()
    for name, value in parts.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) else value
    return Recipe.model_validate(content)


def test_overrides_are_part_of_the_recipe_that_is_recorded(demo_store: Path) -> None:
    planned = plan(
        TrainRequest(store=demo_store, recipe=RECIPE, views=(4, 0), epochs=3, batch_size=5, seed=9)
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
    assert alone.notices == (
        "16 of 112 clips show an emotion that the label set leaves out and are left out",
    )


def test_a_class_without_training_clips_is_noticed(demo_store: Path) -> None:
    planned = plan(TrainRequest(store=demo_store, recipe=changed(labels={"set": "ravdess8"})))
    assert planned.notices == ("no training clip is female_calm or male_calm: the model cannot learn it",)


def test_a_store_of_fewer_views_than_the_recipe_lists_is_used_and_noticed(demo_store: Path) -> None:
    more = [view.model_dump() for view in RECIPE.views]
    more.append({"name": "pitch+1", "kind": "pitch", "semitones": 1.0})
    planned = plan(TrainRequest(store=demo_store, recipe=changed(views=more)))
    assert planned.record.recipe.train.views == (0, 1, 2, 3, 4, 5, 6)
    (notice,) = planned.notices
    assert notice.startswith("the store holds 6 of the recipe's 7 augmented views")
    assert notice.endswith("build a store with --augment 7")


def test_a_relative_store_is_kept_and_found_again(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo_store.parent)
    planned = plan(TrainRequest(store=Path(demo_store.name), recipe=RECIPE, views=(0, 2), seed=4))
    assert planned.record.store == demo_store.name
    folder = RunFolder.create(tmp_path, planned.record)
    folder.write_json("split.json", planned.split.to_json())
    folder.write_record(planned.record)
    again = plan(TrainRequest(resume=folder.path))
    assert again.record == planned.record
    assert again.split == planned.split
    for side in SIDES:
        for name in ("clips", "views", "targets"):
            assert (getattr(again.samples[side], name) == getattr(planned.samples[side], name)).all()


def test_a_run_json_that_is_none_is_a_sentence(demo_store: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": 2}')
    with pytest.raises(RunError, match=r"run\.json.*start a new run"):
        plan(TrainRequest(store=demo_store, resume=tmp_path))


def test_a_new_run_needs_store_and_recipe() -> None:
    with pytest.raises(UsageError, match="needs a store and a recipe"):
        plan(TrainRequest(recipe=RECIPE))
