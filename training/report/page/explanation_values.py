"""What pages show of what a model listens to."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.page.picture import Picture, png_picture, svg_picture
from training.report.explanation import AttendedClip, Explanation
from training.report.explanation_figures import attention_figure, importance_figure
from training.report.explanation_text import HEADER, NOT_THE_VOICE, importance_note, importance_rows, points


@dataclass(frozen=True)
class ExplanationPart:
    """Values for the part of a page."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str
    caution: str
    importance: Picture
    attention: Picture | None
    """None for a model without attention pooling, and for a series."""
    clips: list[tuple[str, ...]]
    """Clip, true and predicted emotion, and the moment with the largest weight."""


def explanation_part(found: Explanation) -> ExplanationPart:
    """Values of an explanation; pictures have their numbers in the text alternative."""
    importance = found.importance
    named = ", ".join(f"{part.name} {points(part.drop)}" for part in importance.ranked)
    return ExplanationPart(
        header=HEADER,
        rows=importance_rows(importance),
        note=importance_note(importance),
        caution=NOT_THE_VOICE,
        importance=svg_picture(
            importance_figure(importance), f"Importance of each part of the input, points of UA: {named}"
        ),
        attention=_attention(found.attention) if found.attention else None,
        clips=[(clip.clip_id, clip.true, clip.predicted, f"{clip.peak_s:.2f} s") for clip in found.attention],
    )


def _attention(clips: tuple[AttendedClip, ...]) -> Picture:
    said = "; ".join(
        f"{clip.true}, predicted as {clip.predicted}, most weight at {clip.peak_s:.2f} s" for clip in clips
    )
    return png_picture(attention_figure(clips), f"Attention over time for {len(clips)} test clips: {said}")
