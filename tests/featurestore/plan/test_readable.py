"""A build writes nothing that its readers refuse: it says so before it computes anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.format.documents import (
    CorpusRecord,
    DatasetEntry,
    IgnoredFile,
    document_bytes,
    parse_document,
)
from featurestore.format.limits import MOST_TITLE, declaration_problem
from featurestore.plan.growth import UnitWork
from featurestore.plan.readable import require_readable
from featurestore.plan.units import SourceClip, Unit, plan_units
from featurestore.plan.worklist import Worklist
from pipelines.version import FEATURE_VERSION
from schemas.clip import Clip
from schemas.errors import CorpusError
from schemas.labels import Emotion, Gender
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec

SPEC = load_recipe("four-corpora-a").store_spec()


def clip(number: int = 0, **values: object) -> Clip:
    usual = Clip(
        clip_id=f"calls/angry/{number}",
        dataset="calls",
        path=f"angry/{number}.wav",
        speaker="calls/anna",
        gender=Gender.FEMALE,
        emotion=Emotion.ANGRY,
        label="angry",
    )
    return replace(usual, **values)


def worklist(*clips: Clip, ignored: tuple[IgnoredFile, ...] = (), **texts: str) -> Worklist:
    """All clips are to be computed, for one corpus."""
    sources = [SourceClip(each, Path("calls") / each.path, "0" * 64) for each in clips]
    units: tuple[Unit, ...] = plan_units("calls", sources, SPEC, FEATURE_VERSION, ())
    record = CorpusRecord(
        dataset="calls",
        **{"title": "calls", "licence": "not stated", "home_page": "", **texts},
        rows=tuple(each.clip_id for each in clips),
        units=tuple(unit.fingerprint for unit in units),
        ignored=ignored,
    )
    todo = tuple(UnitWork(unit, SPEC, SPEC, None) for unit in units)
    return Worklist({"calls": record}, {}, todo, None, altered=False)


def test_usual_clips_are_readable() -> None:
    require_readable(SPEC, worklist(*(clip(number) for number in range(300))))
    require_readable(SPEC, worklist(clip(), title="\t\n" + "é" * (MOST_TITLE - 2)))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"licence": "Permission is granted. " * 220},
            "the licence of calls has 5,060 characters, but at most 4,096",
        ),
        ({"title": "a\x1b[2Jb"}, r"the title of calls contains the control character '\\x1b'"),
        ({"home_page": "\x00"}, r"the home_page of calls contains the control character '\\x00'"),
        ({"title": "a\rb"}, r"contains the control character '\\r'"),
        ({"title": "\x9b31m"}, r"contains the control character '\\x9b'"),
    ],
)
def test_descriptions_that_no_reader_accepts(texts: dict[str, str], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        require_readable(SPEC, worklist(clip(), **texts))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"speaker": "calls/" + "s" * 40_000},
            "the speaker of the clip 'angry/0.wav' has 40,006 bytes, but at most 32,768",
        ),
        ({"speaker": "calls/" + "ü" * 20_000}, "the speaker of the clip 'angry/0.wav' has 40,006 bytes"),
        ({"label": "l" * 40_000}, "the label of the clip"),
        ({"sentence": "s" * 40_000}, "the sentence of the clip"),
        ({"path": "../angry.wav"}, "a path within the corpus"),
        ({"path": "/angry.wav"}, "a path within the corpus"),
        ({"emotion": "Furious!"}, "emotion"),
        ({"repetition": 2**70}, "manifest.parquet would not be readable"),
    ],
)
def test_clips_that_no_reader_accepts(values: dict[str, object], message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        require_readable(SPEC, worklist(clip(**values)))
    assert len(str(caught.value)) < 500


def test_a_clip_twice() -> None:
    with pytest.raises(CorpusError, match="'calls/angry/0' appears twice"):
        require_readable(SPEC, worklist(clip(), clip()))


def test_long_names_that_views_and_statistics_repeat_too_often() -> None:
    """Each is allowed alone, and the manifest holds them once."""
    with pytest.raises(CorpusError, match=r"views\.parquet would not be readable: its column 'clip_id'"):
        require_readable(SPEC, worklist(*(clip(n, clip_id=f"calls/{n}" + "i" * 8_000) for n in range(100))))
    with pytest.raises(
        CorpusError, match=r"records/calls/00000\.parquet would not be readable: .* 'speaker'"
    ):
        require_readable(SPEC, worklist(*(clip(n, speaker=f"calls/{n}" + "s" * 30_000) for n in range(3))))


def test_a_folder_of_other_files_that_its_record_cannot_list() -> None:
    files = tuple(IgnoredFile(path=f"{n:09000}", reason="not an audio file") for n in range(4_000))
    with pytest.raises(CorpusError, match=r"records/calls/corpus\.json would have [\d,]+ bytes, but at most"):
        require_readable(SPEC, worklist(clip(), ignored=files))


odd_text = st.text(st.characters(codec="utf-8"), max_size=40) | st.builds(
    str.__mul__, st.text(st.characters(codec="utf-8"), min_size=1, max_size=3), st.integers(1, 20_000)
)


@settings(max_examples=40)
@given(odd_text, odd_text, st.lists(odd_text, min_size=1, max_size=3, unique=True), odd_text)
def test_what_is_accepted_is_read_back(title: str, licence: str, names: list[str], speaker: str) -> None:
    """The declaration and the corpus's record, by the functions that open a store."""
    work = worklist(
        *(
            clip(n, clip_id=f"calls/{name}", path=f"angry/{name}.wav", speaker=f"calls/{speaker}")
            for n, name in enumerate(names)
        ),
        title=title,
        licence=licence,
    )
    try:
        require_readable(SPEC, work)
    except CorpusError:
        return
    record = work.corpora["calls"]
    count = len(names)
    entry = DatasetEntry(
        title=title, licence=licence, home_page="", rows=count, clips=count, bad=0, ignored=0, units=1
    )
    assert declaration_problem({"calls": entry}) == ""
    assert parse_document(document_bytes(record), "corpus.json", CorpusRecord) == record
    assert len(title) <= MOST_TITLE
    assert max(len(name.encode()) for name in (*names, speaker)) <= 32_768
    assert StoreSpec.model_validate(SPEC.model_dump()) == SPEC
