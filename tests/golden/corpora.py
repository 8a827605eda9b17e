"""The recordings: demo voices as the command writes them, and copies under the names of every corpus."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

from tests.golden.commands import Answer, ask
from tests.golden.odd_files import write_odd_files

SPEAKERS = ("f01", "f02", "f03", "m01", "m02", "m03")
EMOTIONS = ("angry", "disgust", "fearful", "happy", "neutral", "sad")

_CAST = [f"{letter}{number:02d}" for letter in "fm" for number in range(1, 9)]
_ALL_EMOTIONS = (*EMOTIONS, "surprised")

_OTHERS = (
    "ravdess/Actor_01/03-01-05-01-01-01-01.wav",
    "ravdess/Actor_02/03-01-02-01-02-02-12.wav",
    "ravdess/Actor_02/03-02-05-01-01-01-02.wav",
    "ravdess/Actor_02/02-01-05-01-01-01-02.wav",
    "ravdess/Actor_02/01-01-05-01-01-01-02.wav",
    "ravdess/Actor_02/03-01-09-01-01-01-02.wav",
    "ravdess/Actor_02/03-01-05-01-01-01-25.wav",
    "ravdess/Actor_02/03-09-05-01-01-01-02.wav",
    "ravdess/Actor_02/angry.wav",
    "ravdess/more/03-01-05-01-01-01-01.wav",
    "tess/OAF_angry/OA_bite_angry.wav",
    "tess/YAF_sad/YAF_bite_ps.wav",
    "tess/YAF_sad/YAF_back_sad.wav",
    "tess/YAF_sad/YAF_bar_bored.wav",
    "tess/YAF_sad/bar.wav",
    "savee/DC/a01.wav",
    "savee/JE/DC_n30.wav",
    "savee/JE/DC_n31.wav",
    "savee/XX_a01.wav",
    "savee/a02.wav",
    "savee/angry.wav",
    "cremad/AudioWAV/1001_DFA_ANG_X.wav",
    "cremad/AudioWAV/1002_IEO_SAD_LO.wav",
    "cremad/AudioWAV/1003_IEO_SAD_LO.wav",
    "cremad/AudioWAV/1004_IEO_SAD_LO.wav",
    "cremad/AudioWAV/1001_XXX_SAD_LO.wav",
    "cremad/AudioWAV/1999_IEO_SAD_LO.wav",
    "cremad/AudioWAV/1076_MTI_SAD_XX.wav",
    "cremad/AudioWAV/sad.wav",
    "emodb/wav/03a01Wa.wav",
    "emodb/wav/08b10Lb.wav",
    "emodb/wav/99b10Lb.wav",
    "emodb/wav/sad.wav",
)
"""Names as the corpora have them, right and wrong ones. All hold the same sound: so each is noted, too."""


def write_corpora(root: Path) -> Answer:
    """Write every corpus under the empty folder ``root``; returns the answer of ``ser-features demo``."""
    wanted = {f"{speaker}_s1_{emotion}_1" for speaker, emotion in product(SPEAKERS, EMOTIONS)}
    answer = _write_demo(root, wanted)
    voice = root / "demo" / "f01" / "f01_s1_angry_1.wav"
    write_odd_files(root / "odd", voice)
    for name in _OTHERS:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(voice, target)
    (root / "cremad" / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex\n1001,51,Male\n1002,21,Female\n1076,25,Female\n", encoding="utf-8"
    )
    (root / "tess" / "songs.zip").write_bytes(b"PK")
    return answer


def _write_demo(root: Path, wanted: set[str]) -> Answer:
    """Write the ``wanted`` demo clips alone: a clip that is there is kept, so stand-ins save their time."""
    stand_ins = []
    for speaker, sentence, emotion, repetition in product(_CAST, ("s1", "s2", "s3"), _ALL_EMOTIONS, (1, 2)):
        stem = f"{speaker}_{sentence}_{emotion}_{repetition}"
        if stem not in wanted:
            path = root / "demo" / speaker / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"stand-in")
            stand_ins.append(path)
    answer = ask(f"ser-features demo --corpora {root.name}")
    for path in stand_ins:
        path.unlink()
    for folder in (root / "demo").iterdir():
        if not any(folder.iterdir()):
            folder.rmdir()
    return answer
