"""Tables of recordings that a new user would get wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

_TABLES = {
    "good.csv": "file,mood,speaker\na.wav,angry,s1\nb.wav,happy,s2\n",
    "empty.csv": "",
    "header.csv": "file,emotion\n",
    "nofile.csv": "clip,emotion\na.wav,angry\n",
    "noemotion.csv": "file,mood\na.wav,angry\n",
    "blank.csv": "file,emotion\na.wav,\nb.wav,\n",
    "lost.csv": "file,emotion\nx.wav,angry\ny.wav,happy\n",
    "text.csv": "file,emotion\nnotes.txt,angry\n",
    "twice.csv": "file,emotion\na.wav,angry\nb.wav,happy\na.wav,sad\n",
    "voices.csv": "file,emotion,speaker\na.wav,angry,s1\na.wav,angry,s2\n",
    "gender.csv": "file,emotion,gender\na.wav,angry,robot\n",
    "rating.csv": "file,emotion,valence\na.wav,angry,high\n",
    "backwards.csv": "file,emotion,start,end\na.wav,angry,0.4,0.2\n",
    "negative.csv": "file,emotion,start,end\na.wav,angry,-1,0.2\n",
    "when.csv": "file,emotion,start,end\na.wav,angry,soon,later\n",
    "quotes.csv": 'file,emotion\n"a.wav,angry\n',
    "broken.jsonl": '{"file": "a.wav", "emotion": "angry"}\n{"file": "b.wav", \n',
    "list.jsonl": '["a.wav", "angry"]\n',
    "words.parquet": "file,emotion\na.wav,angry\n",
    "table.xlsx": "PK",
    "zeros.csv": "file\0emotion\n",
}
"""Name → content. The recordings are ``a.wav`` and ``b.wav`` beside them."""

_KALDI = {
    "noemotions": {"wav.scp": "a a.wav\n"},
    "command": {"wav.scp": "a sox a.wav -t wav - |\n", "utt2emo": "a angry\n"},
    "segments": {"wav.scp": "a a.wav\n", "utt2emo": "u angry\n", "segments": "u other 0.0 0.2\n"},
}
_EMOBOX = '{"key": "a", "dataset": "talks", "wav": "downloads/talks/a.wav", "emo": "Angry"}\n'


def write_tables(root: Path, clips: list[Path]) -> None:
    """Write all of them into ``root / "listed"``, with the first two of ``clips``."""
    listed = root / "listed"
    listed.mkdir()
    for name, clip in zip(("a.wav", "b.wav"), clips, strict=False):
        shutil.copyfile(clip, listed / name)
    (listed / "notes.txt").write_text("What was said.\n")
    for name, text in _TABLES.items():
        (listed / name).write_text(text)
    for folder, files in _KALDI.items():
        (root / "kaldi" / folder).mkdir(parents=True)
        for name, text in files.items():
            (root / "kaldi" / folder / name).write_text(text)
    (root / "mapped").mkdir()
    (root / "mapped" / "good.csv").write_text(_TABLES["good.csv"])
    (root / "mapped" / "corpus.toml").write_text('[columns]\nemotion = "feeling"\n')
    for name in ("train", "test"):
        fold = root / "EmoBox" / "data" / "talks" / "fold_1"
        fold.mkdir(parents=True, exist_ok=True)
        (fold / f"talks_{name}_fold_1.jsonl").write_text(_EMOBOX)
    (root / "databases" / "broken").mkdir(parents=True)
    (root / "databases" / "broken" / "db.yaml").write_text("name: [calls\n")
