"""A corpus whose ratings are known quantities of its sounds, and requests to train on them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf

from schemas.recipe import parse_recipe
from tests.tiny_store import TINY_RECIPE

HEARD_S = 0.5
"""Seconds of a clip that models of the tiny recipe hear."""

TINY = parse_recipe(TINY_RECIPE, "tiny")

REGRESSION = ("labels.target=regression", "train.views=[0]", "input.representation=functionals")

RIDGE = (*REGRESSION, "model.name=functionals-ridge")
"""Changes of the tiny recipe, which then trains in a moment."""

MLP = (*REGRESSION, "model.name=functionals-mlp", "train.lr=3e-3", "train.patience=null", "train.epochs=15")


def rate_demo(corpora: Path, root: Path) -> Path:
    """Copy the demo corpus with a table of ratings; return the path of the table.

    Arousal is the level of what is heard, valence its rate of zero crossings, both on a scale about 3. Every
    tenth clip lacks a valence.
    """
    rows = []
    for index, file in enumerate(sorted((corpora / "demo").glob("*/*.wav"))):
        copy = root / file.relative_to(corpora / "demo")
        copy.parent.mkdir(exist_ok=True, parents=True)
        shutil.copyfile(file, copy)
        sound, rate = sf.read(file)
        heard = sound[: round(HEARD_S * rate)]
        level = 10 * np.log10(np.square(heard).mean())
        crossings = np.diff(np.signbit(heard)).mean()
        rows.append(
            {
                "file": copy.relative_to(root).as_posix(),
                "speaker": file.parent.name,
                "gender": "female" if file.parent.name.startswith("f") else "male",
                "valence": None if index % 10 == 0 else 3 + 10 * (crossings - 0.1),
                "arousal": 3 + (level + 25) / 5,
            }
        )
    pd.DataFrame(rows).to_csv(root / "rated.csv", index=False)
    return root / "rated.csv"
