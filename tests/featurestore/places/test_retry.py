"""How often and how patiently is tried again."""

import time

import pytest

from featurestore.places.retry import Patience, persist


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def test_waits_double_up_to_the_longest_and_are_not_all_alike(slept: list[float]) -> None:
    patience = Patience(attempts=9, first_s=1.0, longest_s=16.0)
    for failures in range(1, 9):
        for _ in range(50):
            patience.wait(failures)
    for failures in range(1, 9):
        some = slept[50 * (failures - 1) : 50 * failures]
        longest = min(16.0, 2.0 ** (failures - 1))
        assert longest / 2 <= min(some) < max(some) <= longest


@pytest.mark.parametrize("faults", [0, 1, 4])
def test_an_action_that_succeeds_in_the_end_succeeds(faults: int, slept: list[float]) -> None:
    left = [ValueError()] * faults

    def action() -> str:
        if left:
            raise left.pop()
        return "done"

    assert persist(action, Patience(attempts=5), lambda error: isinstance(error, ValueError)) == "done"
    assert len(slept) == faults


def test_the_last_error_is_raised(slept: list[float]) -> None:
    tried = []

    def action() -> None:
        tried.append(len(tried))
        raise ValueError(len(tried))

    with pytest.raises(ValueError, match="3"):
        persist(action, Patience(attempts=3), lambda _: True)
    assert len(tried) == 3
    assert len(slept) == 2


def test_what_will_not_pass_is_raised_at_once(slept: list[float]) -> None:
    with pytest.raises(ZeroDivisionError):
        persist(lambda: 1 // 0, Patience(attempts=3), lambda error: isinstance(error, ValueError))
    assert slept == []
