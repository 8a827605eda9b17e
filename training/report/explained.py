"""What tested models listen to: the result of ``ser-evaluate --explain``. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.metrics.bootstrap import LEVEL, Interval
from training.report.explanation import Explanation
from training.report.explanation_text import importance_text
from training.report.wording import percent, warning, wrap
from training.splits.claim import Claim


@dataclass(frozen=True, eq=False)
class Explained:
    """What a model, the mean of several, or the folds of a series listen to."""

    claim: Claim
    subject: str
    """``model A, trained on ravdess``: :func:`training.report.result.subject_of`."""
    ua: Interval | None
    """Bounds of the UA of the unchanged clips; None if there are too few speakers."""
    explanation: Explanation
    folds: tuple[str, ...]
    """Names of the pooled folds; empty for a single test."""
    members: tuple[str, ...]
    """Names of the runs or series."""
    store_digest: str
    notices: tuple[str, ...]

    @property
    def headline(self) -> str:
        """``UA 46.3 % (95 % interval 41.0 to 52.2)``."""
        found = self.explanation.importance
        if self.ua is None:
            return f"UA {percent(found.ua)} (no interval: too few test speakers)"
        low, high = 100 * self.ua.low, 100 * self.ua.high
        interval = f"{100 * LEVEL:.0f} % interval {low:.1f} to {high:.1f}"
        return f"{'pooled ' if self.folds else ''}UA {percent(found.ua)} ({interval})"

    @property
    def text(self) -> str:
        """Text for a terminal."""
        caution = warning(self.claim)
        lines = [f"{self.claim.title}: {self.headline}", *([wrap(caution)] if caution else [])]
        attended = [
            f"{clip.clip_id}: {clip.true}, predicted as {clip.predicted}; most weight at {clip.peak_s:.2f} s"
            for clip in self.explanation.attention
        ]
        parts = ["\n".join(lines), importance_text(self.explanation.importance).rstrip("\n")]
        if attended:
            parts.append("\n".join(["attention over time:", *attended]))
        return "\n\n".join(parts) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``explanation.json``."""
        return {
            "title": self.claim.title,
            "claim": self.claim.to_json(),
            "subject": self.subject,
            "members": list(self.members),
            "folds": list(self.folds),
            "store_digest": self.store_digest,
            "notices": list(self.notices),
            **self.explanation.results_json(),
        }
