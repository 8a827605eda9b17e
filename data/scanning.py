"""Scanning a corpus, and what every scan must keep whoever wrote it."""

from __future__ import annotations

from pathlib import Path

from data.corpus import Corpus
from data.registry import BUILT_IN
from schemas.clip import Clip, Scan
from schemas.errors import CorpusError, SerError


def scan_of(corpus: Corpus, root: Path) -> Scan:
    """What ``corpus`` finds under ``root``.

    Raises what its ``scan`` does, and :class:`CorpusError` for one of another package that fails, or whose
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
            f"the corpus '{corpus.name}' cannot scan '{root}': {type(error).__name__}: {error}; mend its "
            f"package"
        ) from error
    strange = [scan.dataset] if scan.dataset != corpus.name else []
    strange += [clip.clip_id for clip in scan.clips if not _is_of(corpus.name, clip)]
    if strange:
        raise CorpusError(
            f"the corpus '{corpus.name}' finds '{strange[0]}' in '{root}', which is not named after it; mend "
            f"its package: dataset, clip_id and speaker of each clip begin with '{corpus.name}'"
        )
    return scan


def _is_of(name: str, clip: Clip) -> bool:
    begins = f"{name}/"
    return clip.dataset == name and clip.clip_id.startswith(begins) and clip.speaker.startswith(begins)
