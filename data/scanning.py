"""Scans a corpus and checks the result, also for corpora of other packages."""

from __future__ import annotations

from pathlib import Path

from data.corpus import Corpus
from data.registry import BUILT_IN
from schemas.clip import Clip, Scan
from schemas.errors import CorpusError, SerError
from schemas.labels import MOST_CHARACTERS, is_emotion_name


def scan_corpus(corpus: Corpus, root: Path) -> Scan:
    """Scan ``root`` with ``corpus``.

    Raises the errors of its ``scan``, and :class:`CorpusError` if the corpus of another package fails or its
    clips are not named after it.
    """
    try:
        scan = corpus.scan(root)
    except SerError:
        raise
    except Exception as error:
        if corpus.name in BUILT_IN:
            raise
        raise CorpusError(
            f"the corpus '{corpus.name}' cannot scan '{root}': {type(error).__name__}: {error}; repair its "
            f"package"
        ) from error
    strange = [scan.dataset] if scan.dataset != corpus.name else []
    strange += [clip.clip_id for clip in scan.clips if not _is_of(corpus.name, clip)]
    if strange:
        raise CorpusError(
            f"the corpus '{corpus.name}' finds '{strange[0]}' in '{root}', which is not named after it; "
            f"repair its package: dataset, clip_id and speaker of each clip must begin with '{corpus.name}'"
        )
    for clip in scan.clips:
        _require_unicode(clip, corpus.name)
        if not is_emotion_name(clip.emotion):
            raise CorpusError(
                f"the corpus '{corpus.name}' has the emotion '{clip.emotion[:60]}'; repair "
                f"its package: emotions have up to {MOST_CHARACTERS} lower-case letters, digits, spaces, _, -"
            )
    return scan


def _require_unicode(clip: Clip, corpus: str) -> None:
    """Raise :class:`CorpusError` if a text of the clip has half a character, which UTF-8 cannot hold."""
    texts = (clip.clip_id, clip.path, clip.speaker, clip.label, clip.intensity, clip.sentence, clip.note)
    for text in (*texts, clip.language, clip.session, clip.split):
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise CorpusError(
                f"the corpus '{corpus}' has the text {text[:100]!r}, which is not valid Unicode; rename the "
                f"file, or correct the text"
            )


def _is_of(name: str, clip: Clip) -> bool:
    begins = f"{name}/"
    return clip.dataset == name and clip.clip_id.startswith(begins) and clip.speaker.startswith(begins)
