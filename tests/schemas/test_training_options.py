from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.errors import SpecError
from schemas.recipe import Recipe, parse_recipe
from schemas.training import InputSpec, TrainSpec

RECIPE = 'name = "m"\nmodel = {name = "A"}\n[[features]]\nkind = "rms"\n[train]\n'


def recipe(train: str) -> Recipe:
    return parse_recipe(RECIPE + train, "m.toml")


def test_defaults_are_consistent_and_read_back() -> None:
    spec = TrainSpec()
    assert TrainSpec.model_validate_json(spec.model_dump_json()) == spec


def test_patience_none_in_toml_is_no_early_stopping() -> None:
    assert recipe('patience = "none"').train.patience is None
    assert recipe("patience = 7").train.patience == 7
    assert recipe("").train.patience == 5
    assert TrainSpec.model_validate_json(TrainSpec(patience=None).model_dump_json()).patience is None


@pytest.mark.parametrize("value", ['"never"', "0", "-1", "2.5"])
def test_any_other_patience_is_refused(value: str) -> None:
    with pytest.raises(SpecError, match=r"train\.patience"):
        recipe(f"patience = {value}")


def test_nested_options_are_tables() -> None:
    spec = recipe("[train.spec_augment]\nband_masks = 2\nband_width = 8").train.spec_augment
    assert (spec.band_masks, spec.band_width, spec.frame_masks) == (2, 8, 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"warmup": 3}, "warmup applies to the schedule cosine, not plateau"),
        ({"schedule": "cosine", "epochs": 3, "warmup": 3}, "warmup 3 must be below epochs 3"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"optimiser": "sgd"}, "Input should be"),
        ({"lr": 0}, "greater than 0"),
        ({"lr": float("nan")}, "finite number|greater than 0"),
        ({"weight_decay": -1e-5}, "greater than or equal to 0"),
        ({"lr_factor": 1.0}, "less than 1"),
        ({"label_smoothing": 1.0}, "less than 1"),
        ({"mixup": -1}, "greater than or equal to 0"),
        ({"gradient_clip": 0}, "greater than 0"),
        ({"average": 1.0}, "less than 1"),
        ({"precision": "16"}, "Input should be"),
        ({"monitor": "f1"}, "Input should be"),
        ({"view_sampling": "some"}, "Input should be"),
        ({"learning_rate": 1e-3}, "Extra inputs"),
    ],
)
def test_senseless_options_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainSpec(**fields)


def test_a_cosine_may_rise_first() -> None:
    assert TrainSpec(schedule="cosine", warmup=2.5, epochs=10).warmup == 2.5


@pytest.mark.parametrize("fields", [{"clip": 0}, {"clip": -5}, {"normalise": "max"}])
def test_senseless_inputs_are_refused(fields: dict) -> None:
    with pytest.raises(ValidationError):
        InputSpec(**fields)
