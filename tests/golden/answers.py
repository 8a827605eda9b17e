"""The commands, in an order in which each finds what it needs, and what they answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tests.golden.commands import Answer, ask
from tests.golden.corpora import write_corpora
from tests.golden.normalise import normalise
from tests.golden.objects import hash_objects

HERE = Path(__file__).parent
STORE, RUNS, ANSWERS = HERE / "store", HERE / "runs", HERE / "answers.json"

_BUILD = "ser-features build --corpora corpora --device cpu"
_BUILD_STORE = f"{_BUILD} --datasets demo,odd=corpora/odd --recipe golden.toml --out built"
_BUILD_OTHERS = (
    f"{_BUILD} --datasets ravdess,tess,savee,cremad,emodb --recipe others.toml --out others --seed 5"
)
_CLIPS = "corpora/demo/f01/f01_s1_angry_1.wav corpora/demo/m02"
_DAMAGED = "corpora/odd/happy/anna_cut.wav corpora/odd/happy/anna_empty.wav nowhere.wav"

_TRAIN = "ser-train --store store --datasets demo --device cpu --out trained --recipe"
TRAININGS = {
    "network": f"{_TRAIN} golden.toml",
    "linear": f"{_TRAIN} golden-linear.toml --protocol random --leak-views",
    "series": f"{_TRAIN} golden-linear.toml --protocol kfold:2 --seed 3",
}
"""Name of a run of the golden folder → the command that makes it."""

_READING = (
    "ser-features datasets --corpora corpora",
    "ser-features info store",
    "ser-features verify store",
    "ser-features verify store --full",
    "ser-features verify damaged --full",
    "ser-features push store published",
    "ser-features push store published",
    "ser-features info published",
    "ser-features pull published pulled",
    "ser-features verify pulled --full",
    "ser-features pull published part --datasets demo --features mel,rms --views original,speed",
    "ser-features info part",
    "ser-features verify part --full",
    "ser-features pull published fewer --views original,noise",
    "ser-features pack part part.tar",
    "ser-features unpack part.tar unpacked",
    "ser-features verify unpacked --full",
    "ser-features compare store pulled",
    "ser-features compare store part",
    "ser-features compare store part --no-values",
    "ser-features compare store others",
    "ser-features compare store built",
    "ser-features audit store --datasets demo",
    "ser-features audit store --datasets demo --protocol kfold:2 --seed 2 --save saved.json",
    "ser-features audit store --protocol random --leak-views",
    "ser-features audit store --protocol cross-corpus --test-on odd",
    "ser-features audit store --run runs/network",
    "ser-features report store --out store.html",
    "ser-features listen store f02_s1_sad_1 --corpora corpora --out heard",
    "ser-features listen demo f02_s1_sad_1 --corpora corpora --recipe golden.toml --augment 2 --out sung",
    "ser-features info nowhere",
    "ser-evaluate runs/network --device cpu --out evaluated",
    "ser-evaluate runs/network --device cpu --store fewer --where repetition==1",
    "ser-evaluate runs/linear --device cpu",
    "ser-evaluate runs/linear runs/series/fold-1 --device cpu --store fewer",
    "ser-evaluate runs/series",
    f"ser-predict runs/network --device cpu {_CLIPS}",
    f"ser-predict runs/linear --device cpu {_CLIPS} {_DAMAGED}",
    f"ser-predict runs/series --device cpu {_CLIPS} --with runs/linear",
    "ser-predict runs/network --device cpu corpora/odd/sad/bert_long.wav --window 0.3 --step 2",
    "ser-train --resume runs/network --store store",
    "ser-train --resume runs/series --store store",
)
"""Commands on the golden store and runs, which therefore answer alike on every machine."""


def prepare(folder: Path) -> Answer:
    """Write recipes and corpora to ``folder``; returns the answer of ``ser-features demo``."""
    for recipe in HERE.glob("*.toml"):
        shutil.copyfile(recipe, folder / recipe.name)
    return write_corpora(folder / "corpora")


def build_stores(demo: Answer) -> Iterator[tuple[str, Any]]:
    """Build the stores ``built`` and ``others`` from the corpora here, and give what there is to pin."""
    yield "ser-features demo", _pinned(demo)
    for name, line in {"first": _BUILD_STORE, "again": _BUILD_STORE, "others": _BUILD_OTHERS}.items():
        yield f"ser-features build ({name})", _pinned(ask(line))
    for store in ("built", "others"):
        yield f"objects of {store}", hash_objects(Path(store))
    yield "texts stored in others", _stored_texts(Path("others"))


def train(name: str) -> tuple[Answer, Path]:
    """Train the golden run ``name`` on ``store``; its answer and folder."""
    answer = ask(TRAININGS[name])
    if answer.status != 0:
        raise RuntimeError(f"{TRAININGS[name]}\n{answer.status}\n{answer.errors}")
    return answer, Path(answer.printed.get("run") or answer.printed["series"])


def train_again() -> Iterator[tuple[str, Any]]:
    """Train every golden run again, and give what it answers."""
    for name in TRAININGS:
        answer, folder = train(name)
        yield f"ser-train ({name})", _pinned(answer)
        yield f"files of {name}", sorted(str(path.relative_to(folder)) for path in _plain_files(folder))


def read_all() -> Iterator[tuple[str, Any]]:
    """Ask every command of ``_READING`` about copies of the golden store and runs in this folder."""
    _damage_copy()
    seen: dict[str, int] = {}
    for line in _READING:
        seen[line] = seen.get(line, 0) + 1
        yield line if seen[line] == 1 else f"{line} ({seen[line]})", _pinned(ask(line))
    yield "files of evaluated", sorted(path.name for path in _plain_files(Path("evaluated")))


def export() -> Iterator[tuple[str, Any]]:
    """Export the golden network: apart from the others, as its libraries take seconds to import."""
    line = "ser-export runs/network network.onnx"
    yield line, _pinned(ask(line))


def _pinned(answer: Answer) -> dict[str, Any]:
    printed = answer.printed if not isinstance(answer.printed, str) else bool(answer.printed)
    return {"status": answer.status, "json": normalise(printed, str(Path.cwd()))}


def _damage_copy() -> None:
    """Make ``damaged`` of the golden store: one byte of a shard changed, another shard missing."""
    shutil.copytree("store", "damaged")
    shard = Path("damaged/demo/mel/c/0/0/0/0")
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    Path("damaged/odd/rms/c/1/0/0/0").unlink()


def _plain_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "tensorboard" not in path.parts)


def _stored_texts(store: Path) -> dict[str, Any]:
    """Every text that a store keeps of its clips and corpora, as it is."""
    manifest = pd.read_parquet(store / "manifest.parquet")
    texts = manifest.select_dtypes(exclude="number").drop(columns="audio_sha256")
    records = {path.parent.name: json.loads(path.read_text()) for path in store.glob("records/*/corpus.json")}
    for record in records.values():
        del record["units"]
    return {"manifest": texts.to_dict("records"), "corpora": dict(sorted(records.items()))}
