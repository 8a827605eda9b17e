"""What the models of a series listen to, from the files of its folds. No torch."""

from __future__ import annotations

from training.metrics.importance import PermutationCounts
from training.report.explanation import EXPLANATION, Explanation, read_counts
from training.runs.hashes import is_listed
from training.runs.series import SeriesFolder
from training.runs.several import SeveralRuns


def is_explained(folder: SeveralRuns, number: int) -> bool:
    """Whether it was measured what the model of run ``number`` listens to."""
    run = folder.run(number)
    return (run / EXPLANATION).is_file() and is_listed(run, EXPLANATION)


def is_complete(folder: SeveralRuns, number: int, *, explain: bool) -> bool:
    """Whether run ``number`` is finished, and with ``explain`` explained, so that nothing of it is to do."""
    return folder.is_finished(number) and (not explain or is_explained(folder, number))


def pool_explanations(folder: SeriesFolder) -> Explanation | None:
    """Importance over the test clips of all folds; None unless every fold was explained.

    Raises :class:`RunError` if a file is damaged.
    """
    numbers = range(1, len(folder.record().folds) + 1)
    if not all(is_explained(folder, number) for number in numbers):
        return None
    return Explanation(PermutationCounts.pool([read_counts(folder.fold(number)) for number in numbers]))
