"""Output of ``ser-features audit``: text for people, JSON for programs."""

from __future__ import annotations

from typing import Any

from schemas.messages.counts import format_count
from training.audits.audit import Check
from training.audits.store_audit import AuditedSplit, StoreAudit
from training.splits.side import SIDES

LISTED = 5
"""Offenders printed per check; ``--json`` has more."""


def audit_text(found: StoreAudit) -> str:
    """For each split its sides, the checks that found overlaps, and the names of the clean checks."""
    blocks = [_split_text(one) for one in found.splits]
    lines = [f"note: {notice}" for notice in found.notices] + [f"split: {path}" for path in found.saved]
    blocks += ["\n".join(lines)] if lines else []
    return "\n\n".join([*blocks, _conclusion(found)])


def audit_json(found: StoreAudit) -> dict[str, Any]:
    """The findings as JSON values."""
    return {
        "clean": not found.leaks_at_all,
        "notices": list(found.notices),
        "saved": [str(path) for path in found.saved],
        "splits": [
            {
                "title": one.split.title,
                "fold": one.split.fold.name if one.split.fold else None,
                "validation_by": one.split.validation_by,
                **one.audit.to_json(),
            }
            for one in found.splits
        ],
    }


def _split_text(one: AuditedSplit) -> str:
    split, audit = one.split, one.audit
    name = f", {split.fold.name}" if split.fold and split.fold.name != str(split.fold.index) else ""
    sides = "; ".join(
        f"{side} {format_count(audit.clips[side], 'clip')} of {format_count(audit.speakers[side], 'speaker')}"
        for side in SIDES
    )
    lines = [f"{split.title}{name}", f"  {sides}"]
    for check in audit.checks:
        if check.verdict != "clean" and check.count:
            lines += _check_lines(check)
    clean = [check.name for check in audit.checks if check.verdict == "clean"]
    lines += [f"  {'clean':9} {', '.join(clean)}"] if clean else []
    return "\n".join(lines)


def _check_lines(check: Check) -> list[str]:
    more = check.count - min(len(check.offenders), LISTED)
    if check.verdict == "reported" and not more:
        return [f"  {check.verdict:9} {check.name}: {'; '.join(check.offenders)}"]
    return [
        f"  {check.verdict:9} {check.name}: {check.count:,}",
        *(f"  {'':9}   {offender}" for offender in check.offenders[:LISTED]),
        *([f"  {'':9}   and {more:,} more"] if more else []),
    ]


def _conclusion(found: StoreAudit) -> str:
    leaking = sum(bool(one.audit.leaks) for one in found.splits)
    admitting = sum(one.audit.leaks_at_all and not one.audit.leaks for one in found.splits)
    of = "" if len(found.splits) == 1 else f"{{}} of {len(found.splits)} splits: "
    if leaking:
        return f"{of.format(leaking)}leaks: ser-train would refuse to train on it"
    if admitting:
        return f"{of.format(admitting)}overlaps, as its protocol admits: state this with the result"
    return f"{of.format(len(found.splits))}clean"
