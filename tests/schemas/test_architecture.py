from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.architecture import CnnBiLstmSpec, CnnSpec, FrameHeadSpec, LinearSpec, ModelSpec
from schemas.errors import SpecError, UnknownNameError
from schemas.named_models import MODELS, named_model
from schemas.recipe import parse_recipe

ANY: TypeAdapter = TypeAdapter(ModelSpec)
OWN = {"family": "cnn_bilstm", "name": "mine", "channels": [8], "pools": [[2, 2]]}


@pytest.mark.parametrize("name", MODELS)
def test_models_are_named_as_they_are_found_and_read_back(name: str) -> None:
    assert MODELS[name].name == name
    assert ANY.validate_python(named_model({"name": name})) == MODELS[name]
    assert ANY.validate_json(MODELS[name].model_dump_json()) == MODELS[name]


def test_fields_beside_a_name_replace_the_models_own() -> None:
    model = ANY.validate_python(named_model({"name": "A", "hidden": 64, "pooling": "attention"}))
    assert model == MODELS["A"].model_copy(update={"hidden": 64, "pooling": "attention"})


def test_a_model_of_ones_own_states_its_family() -> None:
    model = ANY.validate_python(named_model(OWN))
    assert isinstance(model, CnnBiLstmSpec)
    assert (model.channels, model.pools, model.hidden) == ((8,), ((2, 2),), 128)
    assert isinstance(ANY.validate_python({**OWN, "family": "cnn"}), CnnSpec)
    linear = {"family": "linear", "name": "f", "classifier": "lda", "statistics": ["mean", "step_std"]}
    assert isinstance(ANY.validate_python(linear), LinearSpec)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown model 'Z'; choose one of A, B, C, cremad"):
        named_model({"name": "Z"})
    with pytest.raises(SpecError, match=r"unknown model 'Z'.*or set model.family"):
        parse_recipe('name = "m"\nmodel = {name = "Z"}\n[[features]]\nkind = "rms"', "m.toml")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": [8, 8]}, "2 channels and 1 pool"),
        ({"channels": []}, "at least 1 item"),
        ({"channels": [0]}, "greater than or equal to 1"),
        ({"pools": [[0, 2]]}, "greater than or equal to 1"),
        ({"block": ["pool", "pool"]}, "a step is listed twice"),
        ({"block": ["swish"]}, "Input should be"),
        ({"block": ["norm", "relu"]}, "block lists no pool"),
        ({"dropout": 1.0}, "less than 1"),
        ({"sequence_dropout": -0.1}, "greater than or equal to 0"),
        ({"layers": 0}, "greater than or equal to 1"),
        ({"pooling": "max"}, "'mean', 'attention' or 'last'"),
        ({"hiden": 3}, "Extra inputs"),
        ({"name": "my model"}, "match pattern"),
        ({"family": "rnn"}, "does not match any of the expected tags"),
    ],
)
def test_senseless_models_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python({**OWN, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"blocks": 1, "width": 10}, "a width of 10 cannot be divided among 4 attention heads"),
        ({"pooling": "mean", "pooling_heads": 2}, "pooling_heads applies to attention, not to mean"),
        ({"pooling": "last"}, "Input should be"),
        ({"input_dropout": 1.0}, "less than 1"),
    ],
)
def test_senseless_heads_on_frames_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python({"family": "frame_head", "name": "mine", **fields})


@pytest.mark.parametrize("family", ["transformer", "conformer"])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 10}, "a width of 10 cannot be divided among 4 attention heads; choose a multiple of 4"),
        ({"pooling": "mean", "pooling_heads": 2}, "pooling_heads applies to attention, not to mean"),
        ({"channels": [8, 8]}, "2 channels and 1 pool"),
        ({"encoder_blocks": 0}, "greater than or equal to 1"),
        ({"distance": 0}, "greater than or equal to 1"),
        ({"encoder_dropout": 1.0}, "less than 1"),
        ({"hidden": 8}, "Extra inputs"),
    ],
)
def test_senseless_encoders_are_refused(family: str, fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python({**OWN, "family": family, **fields})


def test_a_depthwise_convolution_has_a_middle() -> None:
    assert ANY.validate_python({**OWN, "family": "conformer", "kernel": 7}).kernel == 7
    with pytest.raises(
        ValidationError, match="a kernel of 8 steps has no middle; give an odd number such as 9"
    ):
        ANY.validate_python({**OWN, "family": "conformer", "kernel": 8})
    with pytest.raises(ValidationError, match="Extra inputs"):
        ANY.validate_python({**OWN, "family": "transformer", "kernel": 7})


def test_heads_matter_only_to_transformer_blocks() -> None:
    assert FrameHeadSpec(name="mine", width=10, heads=4).blocks == 0


def test_blocks_without_pooling_may_pool_nothing() -> None:
    assert ANY.validate_python({**OWN, "block": ["norm"], "pools": [[1, 1]]}).block == ("norm",)


def test_linear_classifiers_need_a_penalty_and_known_statistics() -> None:
    for fields in ({"c": 0}, {"shrinkage": 1.5}, {"shrinkage": "best"}, {"statistics": ["median"]}):
        with pytest.raises(ValidationError):
            LinearSpec.model_validate({"name": "f", "classifier": "svm", "statistics": ["mean"], **fields})


@pytest.mark.parametrize(
    ("classifier", "fields", "sentence"),
    [
        ("svm", {"shrinkage": 0.5}, "shrinkage applies to lda and ridge, not to svm"),
        ("lda", {"c": 1.0}, "c applies to svm and logistic, not to lda"),
    ],
)
def test_a_value_that_the_classifier_does_not_use_is_refused(
    classifier: str, fields: dict[str, float], sentence: str
) -> None:
    whole = {"name": "f", "classifier": classifier, "statistics": ["mean"]}
    used = LinearSpec.model_validate({**whole, "c" if classifier == "svm" else "shrinkage": 0.5})
    assert LinearSpec.model_validate(used.model_dump()) == used
    with pytest.raises(ValidationError, match=sentence):
        LinearSpec.model_validate({**whole, **fields})
