"""What reports say about the weights of an ensemble."""

from __future__ import annotations

from training.metrics.ensemble_weights import EnsembleWeights
from training.report.weights import fold_weights_note, weight_note, weight_rows

SAME, DIFFERENT = EnsembleWeights((0.625, 0.375), 240, True), EnsembleWeights((1.0, 0.0), 120, False)


def test_runs_are_named_with_their_weights() -> None:
    assert weight_note(SAME, ["base", "tiny"]) == (
        "Weights 0.62 (base), 0.38 (tiny), which make 240 validation clips most likely."
    )
    assert weight_note(DIFFERENT, ["base", "tiny"]).endswith(
        "; the validation sides of the models differ, so only clips that are in all of them count."
    )


def test_folds_have_a_row_each_and_one_sentence_if_they_differ() -> None:
    assert weight_rows(["1", "2"], [SAME, DIFFERENT]) == [
        ("1", "0.62", "0.38", "240"),
        ("2", "1.00", "0.00", "120"),
    ]
    assert fold_weights_note([SAME, SAME], ["base", "tiny"]) == (
        "Weights make the validation clips of each fold most likely. Series 1 is base, 2 is tiny."
    )
    assert fold_weights_note([SAME, DIFFERENT], ["base", "tiny"]).count("validation sides") == 1
