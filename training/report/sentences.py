"""What training and test share of the sentences that a corpus has its speakers say, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from training.audits.sentences import SharedSentences
from training.report.wording import capitalise
from training.splits.claim import Claim

HOW_TO_HOLD_OUT = "--protocol speaker+sentence:K holds out sentences too"


def sentence_note(folds: Sequence[Sequence[SharedSentences]], claim: Claim) -> str:
    """``Training and test share both test sentences of ravdess; --protocol …``, for one or several folds.

    ``folds`` : the corpora of each fold's test, or of one test. A way to hold out sentences follows if any
    are shared and every corpus identifies more than one.
    """
    if claim.crosses_corpora:
        return "Training and test come from different corpora, whose sentences are not compared."
    by_corpus: dict[tuple[str, ...], list[SharedSentences]] = {}
    for part in (part for fold in folds for part in fold):
        by_corpus.setdefault(part.corpora, []).append(part)
    silent = [names for names, parts in by_corpus.items() if not any(part.tested for part in parts)]
    unclear = [
        names
        for names, parts in by_corpus.items()
        if names not in silent and any(part.heard is None for part in parts)
    ]
    compared = {names: parts for names, parts in by_corpus.items() if names not in (*silent, *unclear)}
    clauses = []
    if compared:
        shared = [_describe(names, parts) for names, parts in compared.items()]
        clauses.append(f"training and test share {_join(shared)}")
    if unclear:
        clauses.append(
            f"whether training heard the test sentences of {_join_all(unclear)} is not known, because the "
            "store lacks training clips"
        )
    if silent:
        several = len([name for names in silent for name in names]) > 1
        clauses.append(
            f"the corpora {_join_all(silent)} do not identify their sentences"
            if several
            else f"the corpus {_join_all(silent)} does not identify its sentences"
        )
    parts = [part for each in compared.values() for part in each]
    if any(part.heard for part in parts) and not silent and any(part.tested > 1 for part in parts):
        clauses.append(HOW_TO_HOLD_OUT)
    return f"{capitalise('; '.join(clauses))}."


def _describe(names: Sequence[str], parts: Sequence[SharedSentences]) -> str:
    """``both test sentences of ravdess``; ``parts`` are its folds, with known counts."""
    pairs = {(part.tested, part.heard or 0) for part in parts}
    of = f"of {_join(names)}"
    if not any(heard for _, heard in pairs):
        return f"no sentence {of}"
    if all(heard == tested for tested, heard in pairs):
        counts = {tested for tested, _ in pairs}
        return f"{_all(counts.pop()) if len(counts) == 1 else 'all test sentences'} {of}"
    if len(pairs) == 1:
        ((tested, heard),) = pairs
        return f"{heard:,} of the {tested:,} test sentences {of}"
    shares = [100 * heard / tested for tested, heard in pairs if tested]
    return f"{min(shares):.0f} to {max(shares):.0f} % (by fold) of the test sentences {of}"


def _all(count: int) -> str:
    return {1: "the only test sentence", 2: "both test sentences"}.get(count, f"all {count:,} test sentences")


def _join_all(names: Sequence[Sequence[str]]) -> str:
    return _join([name for each in names for name in each])


def _join(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
