"""Every shipped recipe from recordings to a tested model, on corpora in their exact layouts.

The recordings are syllables of no language: SAVEE's and CREMA-D's own cannot be had freely. What matters is
that names, rates and tables are read as each corpus has them, and that one build and one training fit.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count, product
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from schemas.encoders import EncoderSpec
from schemas.known_encoders import KNOWN_ENCODERS
from schemas.recipe import Recipe, load_recipe, shipped_recipes
from tests.pipelines.encoders.saved import KINDS, make_network, save
from training.campaign import train_all
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest

SECONDS = 1.2


def write(path: Path, rate: int, seed: int) -> None:
    """Syllables between two silences: harmonics with a spectrum and a rhythm of their own."""
    random = np.random.default_rng(seed)
    time = np.arange(round(SECONDS * rate)) / rate
    pitch = random.uniform(90, 300)
    weights = random.exponential(size=12)
    harmonics = sum(w * np.sin(2 * np.pi * pitch * k * time) for k, w in enumerate(weights, start=1))
    rhythm = np.interp(time, np.linspace(0, SECONDS, 12), [0, *random.uniform(0, 1, 10) ** 2, 0])
    signal = 0.3 * harmonics / np.abs(harmonics).max() * rhythm + 1e-3 * random.normal(size=len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, signal, rate, subtype="PCM_16")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of the four corpora, some clips of each, with their tables."""
    root = tmp_path_factory.mktemp("four-corpora")
    seeds = count()
    for actor, emotion in product(range(1, 7), range(1, 9)):
        name = f"03-01-{emotion:02}-01-01-01-{actor:02}.wav"
        write(root / "ravdess" / f"Actor_{actor:02}" / name, 48_000, next(seeds))
    emotions = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
    for speaker, emotion, word in product(("OAF", "YAF"), emotions, ("back", "bar", "base", "bath")):
        place = root / "tess" / f"{speaker}_{emotion}" / f"{speaker}_{word}_{emotion}.wav"
        write(place, 24_414, next(seeds))
    for speaker, emotion in product(("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su")):
        write(root / "savee" / f"{speaker}_{emotion}01.wav", 44_100, next(seeds))
    actors = range(1001, 1009)
    for actor, emotion in product(actors, ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")):
        write(root / "cremad" / "AudioWAV" / f"{actor}_IEO_{emotion}_XX.wav", 16_000, next(seeds))
    rows = [f"{actor},30,{'Male' if actor % 2 else 'Female'},Caucasian,Not Hispanic" for actor in actors]
    table = "\n".join(["ActorID,Age,Sex,Race,Ethnicity", *rows, ""])
    (root / "cremad" / "VideoDemographics.csv").write_text(table)
    return root


def encoders_of(recipe: Recipe, folder: Path) -> dict[str, Path]:
    """Folders of small encoders with random weights, with as many blocks as the recipe needs."""
    out = {}
    for feature in recipe.features:
        if isinstance(feature, EncoderSpec):
            family = KNOWN_ENCODERS[feature.name].family
            name = {"whisper": "whisper", "hubert": "HuBERT large", "wavlm": "WavLM large"}[family]
            blocks = {
                "encoder_layers" if family == "whisper" else "num_hidden_layers": feature.all_layers[-1] + 1
            }
            kind = replace(KINDS[name], settings={**KINDS[name].settings, **blocks, **LONG.get(family, {})})
            out[feature.name] = save(make_network(kind), folder / feature.name)
    return out


LONG = {"whisper": {"max_source_positions": 1500}}

TITLES = {"tess-delta": "speaker-independent (protocol: loso, 2 folds)"}


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_runs_from_recordings_to_a_tested_model(
    name: str, corpora: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(name)
    store = tmp_path / "features.zarr"
    datasets = ",".join(recipe.datasets or ())
    needed = 7 if name == "whisper-robust" else min(1, len(recipe.views))
    spec = SpecRequest(recipe=name, augment=needed, encoders=encoders_of(recipe, tmp_path))
    build(BuildRequest(store, corpora, datasets or "ravdess", spec))
    changes = ["train.epochs=1", "train.batch_size=8", "train.warmup=0"]
    if recipe.split.protocol == "emobox":
        changes.append("split.protocol=speaker")  # it asks for all 24 speakers
    request = TrainRequest(
        store=store,
        recipe=recipe,
        recipe_source=name,
        changes=tuple(changes),
        output=tmp_path / "runs",
        hardware=Hardware("cpu"),
    )
    outcome = train_all(request, None, SilentObserver())
    title = TITLES.get(name, "speaker-independent (protocol: speaker)")
    assert outcome.text.startswith(f"{title}: UA ")
    assert outcome.values["title"] == title
    runs = [outcome.path] if outcome.kind == "run" else sorted(outcome.path.glob("fold-*"))
    for run in runs:
        card = (run / "README.md").read_text()
        assert f"# Speech emotion classifier: model {recipe.model.name}, trained on " in card
        tested = json.loads((run / "metrics.json").read_text())["test"]["emotion"]
        assert {score["name"] for score in tested["by_corpus"]} <= set(recipe.datasets or ("ravdess",))
        audit = json.loads((run / "audit.json").read_text())
        assert "leak" not in {check["verdict"] for check in audit["checks"]}
        assert audit["clean"] is (name != "tess-delta"), "of one training speaker, sentences validate"
