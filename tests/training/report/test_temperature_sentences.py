"""What reports say about the temperature."""

from __future__ import annotations

from training.metrics.temperature import BeforeAndAfter, Reliability, TemperatureEffect
from training.report.temperature import temperature_sentences


def effect(temperature: float, ece: float) -> TemperatureEffect:
    held_out = BeforeAndAfter(Reliability(ece, 2.0), Reliability(ece / 4, 1.0))
    test = BeforeAndAfter(Reliability(2 * ece, 3.0), Reliability(ece, 1.5))
    return TemperatureEffect(temperature, 1200, held_out, test)


def test_a_run_has_its_temperature_and_both_sides() -> None:
    (clause,) = temperature_sentences([effect(6.125, 0.2)])
    assert clause == (
        "temperature 6.12, fitted on 1,200 clips of held-out speakers, takes their ECE from 20.0 to 5.0 % "
        "and log loss from 2.00 to 1.00; on the test clips, it takes ECE from 40.0 to 20.0 % and log loss "
        "from 3.00 to 1.50"
    )


def test_folds_have_a_range_and_means() -> None:
    (clause,) = temperature_sentences([effect(6.0, 0.2), effect(8.0, 0.4)])
    assert clause == (
        "temperatures of 6.00 to 8.00, fitted on held-out speakers in each fold, take on average their ECE "
        "from 30.0 to 7.5 % and log loss from 2.00 to 1.00; on the test clips, they take ECE from 60.0 to "
        "30.0 % and log loss from 3.00 to 1.50"
    )


def test_without_a_temperature_nothing_is_said() -> None:
    assert temperature_sentences([None]) == temperature_sentences([None, None]) == []
