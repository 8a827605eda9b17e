"""The audit of a run, read from its folder."""

from __future__ import annotations

from pydantic import ValidationError

from schemas.errors import RunError
from schemas.model import Model
from schemas.recipe import first_problem
from training.audits.audit import Verdict
from training.audits.sentences import SharedSentences
from training.runs.run import RunFolder
from training.splits.claim import Claim
from training.splits.side import Side


class StoredCheck(Model):
    """One check, as :class:`training.audits.audit.Check` writes it."""

    name: str
    question: str
    verdict: Verdict
    offenders: tuple[str, ...]
    count: int


class StoredSentences(Model):
    """One corpus, as :class:`training.audits.sentences.SharedSentences` writes it."""

    corpora: tuple[str, ...]
    tested: int
    heard: int | None


class StoredAudit(Model):
    """Content of ``audit.json``, written by :meth:`training.audits.audit.Audit.to_json`."""

    protocol: str
    clean: bool
    clips: dict[Side, int]
    speakers: dict[Side, int]
    samples: dict[Side, int]
    test_sentences: int
    test_sentences_heard: int
    sentences: tuple[StoredSentences, ...] | None = None
    """None: an older version wrote only the totals."""
    checks: tuple[StoredCheck, ...]

    def shared_sentences(self, claim: Claim) -> tuple[SharedSentences, ...]:
        """By corpus; of an older audit, for all tested corpora of ``claim`` together."""
        if self.sentences is None:
            return (SharedSentences(claim.tested_on, self.test_sentences, self.test_sentences_heard),)
        return tuple(SharedSentences(each.corpora, each.tested, each.heard) for each in self.sentences)


def read_audit(run: RunFolder) -> StoredAudit:
    """The audit of a run. Raises :class:`RunError` if this version cannot read it."""
    try:
        return StoredAudit.model_validate(run.read_json("audit.json"))
    except ValidationError as error:
        raise RunError(f"{run.path / 'audit.json'}: {first_problem(error)}; start a new run") from error
