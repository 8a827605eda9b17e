"""What a temperature changes, as clauses of a report."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from training.metrics.temperature import BeforeAndAfter, TemperatureEffect


def temperature_sentences(effects: Sequence[TemperatureEffect | None]) -> list[str]:
    """A clause about the temperature of a run, or those of the folds of a series; empty if there is none."""
    found = [effect for effect in effects if effect is not None]
    if not found:
        return []
    held_out, test = [effect.held_out for effect in found], [effect.test for effect in found]
    if len(effects) == 1:
        (one,) = found
        what = (
            f"temperature {one.temperature:.2f}, fitted on {one.clips:,} clips of held-out {one.by}s, takes"
        )
        return [f"{what} {_changes('their', held_out)}; on the test clips, {_changes('it takes', test)}"]
    low, high = (f"{bound(effect.temperature for effect in found):.2f}" for bound in (min, max))
    units = " or ".join(f"{by}s" for by in ("speaker", "sentence") if any(each.by == by for each in found))
    what = f"temperatures of {low} to {high}, fitted on held-out {units} in each fold, take on average"
    return [f"{what} {_changes('their', held_out)}; on the test clips, {_changes('they take', test)}"]


def _changes(whose: str, pairs: Sequence[BeforeAndAfter]) -> str:
    """``their ECE from 21.4 to 3.2 % and log loss from 1.93 to 0.78``, the means of ``pairs``."""
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    ece, ece_after = (100 * fmean(each.ece for each in side) for side in (before, after))
    loss, loss_after = (fmean(each.log_loss for each in side) for side in (before, after))
    return f"{whose} ECE from {ece:.1f} to {ece_after:.1f} % and log loss from {loss:.2f} to {loss_after:.2f}"
