import subprocess
import sys

import pytest

from data.corpus import Corpus
from data.described.description import described_names
from data.registry import BUILT_IN, COMMON, CORPORA, real_corpora, require_corpus
from schemas.errors import UnknownNameError
from schemas.names import fold_name


def test_the_order_is_fixed_and_the_demo_is_not_real() -> None:
    assert list(BUILT_IN)[:6] == [*COMMON, "demo"] == ["ravdess", "tess", "savee", "cremad", "emodb", "demo"]
    assert list(BUILT_IN)[6:] == sorted(described_names())
    assert set(real_corpora()) == set(CORPORA) - {"demo"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_corpus_keeps_the_protocol_and_says_how_to_get_it(name: str) -> None:
    known = require_corpus(name)
    assert isinstance(known, Corpus)
    assert known.name == name
    assert known.title
    assert known.licence
    assert known.expected_clips or name not in COMMON
    assert fold_name(known.name) in {fold_name(folder) for folder in known.folder_names}
    assert f"'{name}'" in known.how_to_get


def test_the_four_corpora_add_up_to_the_published_total() -> None:
    assert sum(BUILT_IN[name].expected_clips or 0 for name in COMMON if name != "emodb") == 12_162


def test_no_folder_name_belongs_to_two_corpora() -> None:
    names = [n for known in CORPORA.values() for n in {fold_name(f) for f in known.folder_names}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "near"), [("ravdes", "ravdess"), ("CREMA-D", "cremad"), ("Tess", "tess")])
def test_an_unknown_name_is_refused_with_the_nearest_and_all_names(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{near}'") as caught:
        require_corpus(name)
    assert all(known in str(caught.value) for known in (*COMMON, "demo", "datasets --all"))


def test_a_name_like_none_gets_no_guess() -> None:
    with pytest.raises(UnknownNameError) as caught:
        require_corpus("zzz")
    assert "did you mean" not in str(caught.value)


def test_scanning_imports_neither_audio_nor_scientific_libraries() -> None:
    code = (
        "import sys, data.locate, data.registry; "
        "print([m for m in ('scipy', 'soundfile', 'torch', 'zarr', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
