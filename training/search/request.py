"""What to search."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import UsageError

TRIALS = 100
"""Trials per fold unless another number is requested."""

INNER_FOLDS = 3
"""Inner folds of a search unless others are requested."""


@dataclass(frozen=True)
class SearchRequest:
    """A space and how much of it to try."""

    space: str
    """``default``, the name of a shipped space, or a TOML file."""
    trials: int
    """Per fold of the protocol."""
    inner_folds: int = INNER_FOLDS
    """1: the protocol's own validation side."""


def search_of(
    space: str | None,
    trials: int | None,
    inner_folds: int | None,
    *,
    split: bool,
    matrix: bool,
    cuda_graphs: bool,
) -> SearchRequest | None:
    """The search that ``--search`` requests; None: there is none.

    Raises :class:`UsageError` for an option that needs ``--search``, or that a search cannot follow.
    """
    if space is None:
        given = {"--trials": trials, "--inner-folds": inner_folds}
        for option, value in given.items():
            if value is not None:
                raise UsageError(
                    f"{option} {value} belongs to a search; add --search default, or leave it out"
                )
        return None
    if matrix:
        raise UsageError(
            "--search tunes one protocol, and --matrix trains many; search on one pair of corpora with "
            "--train-on and --test-on, or leave out one of the two"
        )
    if split:
        raise UsageError("--search draws the split of a protocol; leave out --split, or leave out --search")
    if cuda_graphs:
        raise UsageError("--cuda-graphs records the steps of one training; leave it out with --search")
    return SearchRequest(space, trials or TRIALS, inner_folds or INNER_FOLDS)
