"""The tables of the page, as rows of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from featurestore.report.contents import Contents, Quartiles
from featurestore.report.findings import StoreFindings
from featurestore.report.measures import DURATION, Measure
from schemas.clip import Remark
from schemas.spec import StoreSpec

MOST_TABLE_ROWS = 40
"""Rows of a table whose length depends on the store; the rest is counted, and ``--json`` has it."""

NOTHING = "–"
MINUS = "−"


@dataclass(frozen=True)
class Table:
    """``header`` and ``rows`` of words; ``left_out`` : rows that are not shown."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0

    @classmethod
    def of(cls, header: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
        """The first :data:`MOST_TABLE_ROWS` rows, and how many more there are."""
        return cls(tuple(header), tuple(rows[:MOST_TABLE_ROWS]), max(0, len(rows) - MOST_TABLE_ROWS))


def counts_table(held: Contents) -> Table:
    """Usable clips of each corpus and gender by emotion; a gender that a corpus has not has no row."""
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
    """What each corpus brings, its speakers among it."""
    rows = [
        (
            corpus.name,
            f"{corpus.clips:,}",
            f"{corpus.bad:,}",
            f"{corpus.hours:.2f}",
            f"{corpus.speakers:,}",
            _spread(corpus.clips_per_speaker),
            f"{corpus.sentences:,}" if corpus.sentences else "not told",
            _intensities(corpus.intensities),
        )
        for corpus in held.corpora
    ]
    header = ("corpus", "clips", "bad", "hours", "speakers", "clips a speaker", "sentences", "intensities")
    return Table.of(header, rows)


def balance_table(held: Contents) -> Table:
    """Share of each emotion in %, how uneven that is, and what a guess scores in %."""
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
    rows.insert(0, rows.pop())  # of all corpora: of a long table the end is left out
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
    header = ("", "corpus", "least", "5 %", "25 %", "median", "75 %", "95 %", "most", "above 0", "unknown")
    if all(measure.column is DURATION for measure in measures):
        return Table((*header[:9], header[10]), tuple((*row[:9], row[10]) for row in rows), left_out)
    return Table(header, tuple(rows), left_out)


def formats_table(found: StoreFindings) -> Table:
    """Sample rates and channels."""
    rows = [
        (
            each.corpus,
            f"{each.sample_rate:,} Hz" if each.sample_rate is not None else "not told",
            f"{each.channels:,}" if each.channels is not None else "not told",
            f"{each.clips:,}",
        )
        for each in found.formats
    ]
    return Table.of(("corpus", "sample rate", "channels", "clips"), rows)


def remarks_table(remarks: Sequence[Remark], what: str) -> Table:
    """Clips, their files, and what is to be said of them."""
    return Table.of(("clip", "file", what), [(r.clip_id, r.path, r.problem) for r in remarks])


def views_table(spec: StoreSpec) -> Table:
    """What each view is, and from what range its clips draw."""
    rows = [("0", spec.view_names[0], "the recording as it is", "")]
    for index, view in enumerate(spec.views, start=1):
        (value,) = view.model_dump(exclude={"name", "kind"}).values()
        drawn = f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else f"{value:g}"
        what, parameter = _KINDS[view.kind]
        rows.append((str(index), view.name, what, parameter.format(drawn.replace("-", MINUS))))
    return Table.of(("view", "name", "what", "parameter"), rows)


def licences_table(held: Contents) -> Table:
    """What each corpus says of itself."""
    rows = [(corpus.name, corpus.title, corpus.licence, corpus.home_page) for corpus in held.corpora]
    return Table.of(("corpus", "title", "licence", "home page"), rows)


def libraries_table(libraries: Mapping[str, str]) -> Table:
    """What built the store."""
    return Table.of(("library", "version that built it"), list(libraries.items()))


_KINDS = {
    "noise": ("white noise added", "SNR {} dB"),
    "pitch": ("pitch moved, duration kept", "{} semitones"),
    "shift": ("turned round in time", "{} of the clip"),
    "speed": ("played at another speed, pitch moves along", "{} × the speed"),
    "stretch": ("another tempo, pitch kept", "{} × the tempo"),
}
"""Kind of a view → what it does, and its parameter in words."""


def _spread(spread: Quartiles | None) -> str:
    if spread is None:
        return NOTHING
    if spread.least == spread.most:
        return f"{spread.least:,.0f} each"
    return f"{spread.least:,.0f} to {spread.most:,.0f}, median {spread.median:,.4g}"


def _intensities(found: tuple[tuple[str, int], ...]) -> str:
    if not found:
        return "not told"
    more = f", and {len(found) - 6:,} more" if len(found) > 6 else ""
    return ", ".join(f"{word} {clips:,}" for word, clips in found[:6]) + more


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f}"


def _number(value: float, digits: int) -> str:
    """A number of a stranger may be of any size: one that is out of all reason takes few characters."""
    text = f"{value:,.{digits}f}" if abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", MINUS)
