"""The tables of the page, as rows of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.report.clip_map import ClipMap, Separation
from featurestore.report.contents import Contents, Quartiles
from featurestore.report.findings import StoreFindings
from featurestore.report.layers import LayerProfile
from featurestore.report.measures import DURATION, Measure
from schemas.clip import Remark
from schemas.imported import ImportedSpec
from schemas.spec import StoreSpec

MOST_TABLE_ROWS = 40
"""Rows shown in a table; the page counts the rest, and ``--json`` prints them."""

UNKNOWN = "not given"
NOTHING = "–"
MINUS = "−"


@dataclass(frozen=True)
class Table:
    """``header`` and ``rows`` of text; ``left_out``: number of rows not shown."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0

    @classmethod
    def of(cls, header: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
        """A table of the first :data:`MOST_TABLE_ROWS` rows that counts the others."""
        return cls(tuple(header), tuple(rows[:MOST_TABLE_ROWS]), max(0, len(rows) - MOST_TABLE_ROWS))


def counts_table(held: Contents) -> Table:
    """Usable clips per corpus, gender and emotion; a gender that does not occur in a corpus has no row."""
    rows = [
        (corpus.name, gender, *(f"{n:,}" for n in clips), f"{clips.sum():,}")
        for corpus, of in zip(held.corpora, held.counts, strict=True)
        for gender, clips in zip(held.genders, of, strict=True)
        if clips.any()
    ]
    total = held.counts.sum(axis=(0, 1))
    rows.insert(0, ("all", "", *(f"{n:,}" for n in total), f"{total.sum():,}"))
    return Table.of(("corpus", "gender", *held.emotions, "all"), rows)


def corpora_table(held: Contents) -> Table:
    """Clips, hours, speakers, sentences and intensities of each corpus."""
    rows = [
        (
            corpus.name,
            f"{corpus.clips:,}",
            f"{corpus.bad:,}",
            f"{corpus.hours:.2f}",
            f"{corpus.speakers:,}",
            _spread(corpus.clips_per_speaker),
            f"{corpus.sentences:,}" if corpus.sentences else UNKNOWN,
            _intensities(corpus.intensities),
        )
        for corpus in held.corpora
    ]
    header = ("corpus", "clips", "bad", "hours", "speakers", "clips per speaker", "sentences", "intensities")
    return Table.of(header, rows)


def balance_table(held: Contents) -> Table:
    """Share of each emotion in %, the imbalance, and the scores of guessing in %."""
    rows = [
        (
            balance.name,
            f"{balance.classes}",
            f"{balance.imbalance:.2f}" if balance.imbalance is not None else NOTHING,
            _percent(balance.chance_ua),
            _percent(balance.majority_wa),
            *(_percent(share or None) for share in balance.shares),
        )
        for balance in held.balance
    ]
    rows.insert(0, rows.pop())  # all corpora first, because the end of a long table is left out
    return Table.of(("corpus", "classes", "imbalance", "chance UA", "majority WA", *held.emotions), rows)


def measure_table(measures: Sequence[Measure]) -> Table:
    """Quantiles of each measure in each corpus."""
    rows = [
        (
            f"{measure.column.title} ({measure.column.unit})",
            corpus.corpus,
            *(_number(q, measure.column.digits) for q in (corpus.quantiles or ())),
            *([NOTHING] * (0 if corpus.quantiles else 7)),
            f"{corpus.above_zero:,}" if measure.column.name.endswith("ratio") else "",
            f"{corpus.unknown:,}",
        )
        for measure in measures
        for corpus in measure.corpora[: MOST_TABLE_ROWS // len(measures)]
    ]
    left_out = sum(max(0, len(measure.corpora) - MOST_TABLE_ROWS // len(measures)) for measure in measures)
    header = ("", "corpus", "min", "5 %", "25 %", "median", "75 %", "95 %", "max", "above 0", "unknown")
    if all(measure.column is DURATION for measure in measures):
        return Table((*header[:9], header[10]), tuple((*row[:9], row[10]) for row in rows), left_out)
    return Table(header, tuple(rows), left_out)


def formats_table(found: StoreFindings) -> Table:
    """Sample rates and channels of the recordings."""
    rows = [
        (
            each.corpus,
            f"{each.sample_rate:,} Hz" if each.sample_rate is not None else UNKNOWN,
            f"{each.channels:,}" if each.channels is not None else UNKNOWN,
            f"{each.clips:,}",
        )
        for each in found.formats
    ]
    return Table.of(("corpus", "sample rate", "channels", "clips"), rows)


def remarks_table(remarks: Sequence[Remark], what: str) -> Table:
    """Clips, their files, and their problem or note; ``what`` heads that column."""
    return Table.of(("clip", "file", what), [(r.clip_id, r.path, r.problem) for r in remarks])


def layers_table(profile: LayerProfile) -> Table:
    """Norms of each layer's states, and its similarity to the stored layer before it."""
    rows = []
    for place, layer in enumerate(profile.layers):
        before = profile.similarity[place, place - 1] if place else np.nan
        rows.append(
            (
                str(layer),
                _known(profile.norm_mean[place], 2),
                _known(profile.norm_std[place], 2),
                _known(before, 3),
            )
        )
    return Table.of(("layer", "mean norm", "standard deviation", "CKA with the layer before"), rows)


def separation_table(found: ClipMap | None) -> Table:
    """How well clips of one emotion, speaker and so on lie together; empty without a map."""
    groupings = found.points.groupings if found is not None and found.points is not None else ()
    rows = [
        (grouping.kind, *_separation(grouping.separation))
        for grouping in groupings
        if grouping.separation is not None
    ]
    header = (
        "grouped by", "groups", "clips", "silhouette", "nearest clip",
        "nearest, other speaker", "random clip",
    )  # fmt: skip
    return Table(header, tuple(rows))


def views_table(spec: StoreSpec) -> Table:
    """Each view, what it does, and the range of its parameter."""
    rows = [("0", spec.view_names[0], "the recording itself", "")]
    for index, view in enumerate(spec.views, start=1):
        values = view.model_dump(exclude={"name", "kind"}).values()
        drawn = [
            f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else f"{value:g}" for value in values
        ]
        what, parameter = _KINDS[view.kind]
        shown = parameter.format(*(text.replace("-", MINUS) for text in drawn))
        rows.append((str(index), view.name, what, shown))
    return Table.of(("view", "name", "effect", "parameter"), rows)


def licences_table(held: Contents) -> Table:
    """Title, licence and home page of each corpus."""
    rows = [(corpus.name, corpus.title, corpus.licence, corpus.home_page) for corpus in held.corpora]
    return Table.of(("corpus", "title", "licence", "home page"), rows)


def imported_table(features: Sequence[ImportedSpec]) -> Table:
    """Where the numbers of imported features come from; empty if there are none."""
    rows = [
        (
            one.name,
            " × ".join(f"{size:,}" for size in one.shape or ()),
            one.provenance or "",
            ", ".join(one.source or ()),
            one.sha256 or "",
        )
        for one in features
    ]
    return Table.of(("imported feature", "shape", "provenance", "source", "SHA-256"), rows)


def libraries_table(libraries: Mapping[str, str]) -> Table:
    """Versions of the libraries that built the store."""
    return Table.of(("library", "version used for the build"), list(libraries.items()))


_KINDS = {
    "noise": ("white noise added", "SNR {} dB"),
    "pitch": ("pitch shifted, duration kept", "{} semitones"),
    "shift": ("rotated in time", "{} of the clip"),
    "speed": ("played at another speed, which changes the pitch", "{} × the speed"),
    "stretch": ("tempo changed, pitch kept", "{} × the tempo"),
    "untrimmed": ("not trimmed", ""),
}
"""Kind of a view → its effect, and its parameter as text."""


def _spread(spread: Quartiles | None) -> str:
    if spread is None:
        return NOTHING
    if spread.least == spread.most:
        return f"{spread.least:,.0f} each"
    return f"{spread.least:,.0f} to {spread.most:,.0f}, median {spread.median:,.4g}"


def _intensities(found: tuple[tuple[str, int], ...]) -> str:
    if not found:
        return UNKNOWN
    more = f", and {len(found) - 6:,} more" if len(found) > 6 else ""
    return ", ".join(f"{word} {clips:,}" for word, clips in found[:6]) + more


def _separation(found: Separation) -> tuple[str, ...]:
    return (
        f"{found.groups:,}",
        f"{found.clips:,}",
        _number(found.silhouette, 3),
        f"{100 * found.nearest:.1f} %",
        NOTHING if found.other_speaker is None else f"{100 * found.other_speaker:.1f} %",
        f"{100 * found.chance:.1f} %",
    )


def _known(value: float, digits: int) -> str:
    return _number(float(value), digits) if np.isfinite(value) else NOTHING


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f}"


def _number(value: float, digits: int) -> str:
    """A number with ``digits`` decimal places; huge numbers of an untrusted store are kept short."""
    text = f"{value:,.{digits}f}" if abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", MINUS)
