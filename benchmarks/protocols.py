"""Effect of the protocol: leaky, random and speaker-independent results of the same systems.

    python benchmarks/protocols.py --corpora corpora

Each row is one `ser-train` command on RAVDESS or TESS, or one `ser-evaluate` of several rows' series, printed
before it runs, and names the machine that it was measured on. Stores, runs and finished rows are kept in
`--work`, and another call resumes from there. All rows take hours on two cores; `--only NAME` runs some of
them and keeps the other rows.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison import ComparisonRow, comparison_table
from machine import RESULTS, machine, write_document
from pydantic import TypeAdapter

from training.metrics.bootstrap import Interval
from training.splits.claim import Claim


@dataclass(frozen=True)
class Experiment:
    """One row: a name for ``--only``, the store, and the options of ``ser-train``."""

    name: str
    system: str
    store: str
    options: tuple[str, ...] = ()
    mean_of: tuple[str, ...] = ()
    """Names of the experiments that this one averages, with ``options`` of ``ser-evaluate``."""


STORES = {
    "r3": ("--recipe", "ravdess-attention", "--datasets", "ravdess"),
    "r4": ("--recipe", "tess-delta", "--datasets", "tess"),
    "functionals": ("--recipe", "ravdess-functionals", "--datasets", "ravdess"),
    "mel": ("--recipe", "ravdess-transformer", "--datasets", "ravdess", "--augment", "0"),
    "egemaps": ("--recipe", "egemaps", "--datasets", "ravdess", "--augment", "0"),
    "r1": ("--recipe", "four-corpora-a", "--datasets", "ravdess,tess"),
    "whisper": ("--recipe", "whisper-robust", "--datasets", "ravdess", "--augment", "7"),
    "whisper-tiny": (
        *("--recipe", "whisper-robust", "--datasets", "ravdess", "--augment", "7"),
        *("--features", "whisper-tiny.en", "--layers", "1-3"),
    ),
    "whisper-frames": ("--recipe", "whisper-frames", "--datasets", "ravdess"),
    "whisper-states": (
        *("--recipe", "whisper-base", "--datasets", "ravdess", "--augment", "0"),
        *("--features", "whisper-base", "--layers", "0-6", "--pooling", "mean"),
    ),
    "whisper-both": ("--recipe", "whisper-base", "--datasets", "ravdess,tess,demo", "--augment", "0"),
}
"""Those of encoders need the weights: ``ser-features encoder get whisper-base``."""

_R3 = ("--recipe", "ravdess-attention", "--views", "0,1", "--epochs", "30")
"""An epoch uses every clip once, or with a leaky split every clip in both views, so half as many epochs."""
_R4 = ("--recipe", "tess-delta")
_MEL = ("--protocol", "kfold:3")
"""The rows differ only in their model."""
_R1 = (
    *("--datasets", "ravdess,tess", "--protocol", "kfold:3", "--epochs", "12"),
    *("--set", "train.view_sampling=one"),
)
_RAVDESS8 = ("--datasets", "ravdess", "--set", "labels.set=ravdess8", "--set", "labels.target=emotion")
_SVM = ("--model", "functionals", *_RAVDESS8)
_F = ("--recipe", "ravdess-functionals")
_LDA = (*_F, "--model", "functionals-lda", "--views", "0,3,4")
_WHISPER, _TINY = ("--recipe", "whisper-base"), ("--recipe", "whisper-tiny")
_BY_SPEAKER = ("--set", "input.normalise=speaker")
_COMMON7 = ("--set", "labels.set=common7")
_STATE = "features.whisper-base"

EXPERIMENTS = (
    Experiment(
        "r3-leaky",
        "R3 ravdess-attention",
        "r3",
        (*_R3[:-1], "15", "--protocol", "random", "--leak-views", "--set", "train.view_sampling=all"),
    ),
    Experiment("r3-random", "R3 ravdess-attention", "r3", (*_R3, "--protocol", "random")),
    Experiment("r3-speaker", "R3 ravdess-attention", "r3", (*_R3, "--protocol", "speaker")),
    Experiment("r3-emobox", "R3 ravdess-attention", "r3", (*_R3, "--protocol", "emobox")),
    Experiment("r4-random", "R4 tess-delta", "r4", (*_R4, "--protocol", "random")),
    Experiment("r4-loso", "R4 tess-delta", "r4", (*_R4, "--protocol", "loso")),
    Experiment("a", "R1 A, gender × emotion", "r1", ("--model", "A", *_R1)),
    Experiment("c", "R1 C, emotion", "r1", ("--model", "C", *_R1)),
    Experiment(
        "svm-leaky", "functionals, linear SVM", "r1", (*_SVM, "--protocol", "random", "--leak-views")
    ),
    Experiment(
        "svm-random", "functionals, linear SVM", "r1", (*_SVM, "--protocol", "random", "--views", "0")
    ),
    Experiment(
        "svm-emobox", "functionals, linear SVM", "r1", (*_SVM, "--protocol", "emobox", "--views", "0")
    ),
    Experiment(
        "lda-emobox",
        "functionals, linear discriminant analysis",
        "functionals",
        _LDA,
    ),
    Experiment("mlp-emobox", "functionals, perceptron", "functionals", _F),
    Experiment("mlp-emobox-1", "the same, seed 1", "functionals", (*_F, "--seed", "1")),
    Experiment("mlp-emobox-2", "the same, seed 2", "functionals", (*_F, "--seed", "2")),
    Experiment(
        "mean-emobox",
        "mean of these four",
        "functionals",
        mean_of=("lda-emobox", "mlp-emobox", "mlp-emobox-1", "mlp-emobox-2"),
    ),
    Experiment(
        "lda-by-speaker", "discriminant analysis by speaker", "functionals", (*_LDA, *_BY_SPEAKER)
    ),
    Experiment("mlp-by-speaker", "perceptron by speaker", "functionals", (*_F, *_BY_SPEAKER)),
    Experiment("mlp-by-speaker-1", "the same, seed 1", "functionals", (*_F, *_BY_SPEAKER, "--seed", "1")),
    Experiment("mlp-by-speaker-2", "the same, seed 2", "functionals", (*_F, *_BY_SPEAKER, "--seed", "2")),
    Experiment(
        "mean-by-speaker",
        "mean of these four",
        "functionals",
        mean_of=("lda-by-speaker", "mlp-by-speaker", "mlp-by-speaker-1", "mlp-by-speaker-2"),
    ),
    Experiment(
        "svm-kfold", "functionals, linear SVM", "r1", (*_SVM, "--protocol", "kfold:6", "--views", "0")
    ),
    Experiment(
        "svm-sentence",
        "functionals, linear SVM",
        "r1",
        (*_SVM, "--protocol", "speaker+sentence:6", "--views", "0"),
    ),
    Experiment("egemaps", "eGeMAPS, linear discriminant analysis", "egemaps", ("--recipe", "egemaps")),
    Experiment(
        "egemaps-svm", "eGeMAPS, linear SVM", "egemaps", ("--recipe", "egemaps", "--model", "svm")
    ),
    Experiment(
        "mel-a", "model A", "mel", ("--recipe", "ravdess-transformer", "--model", "A", *_MEL)
    ),
    Experiment(
        "mel-a-0.1",
        "model A, less dropout",
        "mel",
        ("--recipe", "ravdess-transformer", "--model", "A", "--set", "model.block_dropout=0.1", *_MEL),
    ),
    Experiment("mel-transformer", "transformer", "mel", ("--recipe", "ravdess-transformer", *_MEL)),
    Experiment("mel-conformer", "conformer", "mel", ("--recipe", "ravdess-conformer", *_MEL)),
    Experiment("whisper-base", "Whisper-base, layers 1 to 4", "whisper", _WHISPER),
    Experiment("whisper-tiny", "Whisper-tiny.en, layers 1 to 3", "whisper-tiny", _TINY),
    Experiment(
        "whisper-robust",
        "Whisper-base, with copies",
        "whisper",
        ("--recipe", "whisper-robust", "--views", "0-3"),
    ),
    Experiment(
        "whisper-tiny-robust",
        "Whisper-tiny.en, with copies",
        "whisper-tiny",
        (*_TINY, "--views", "0-3"),
    ),
    Experiment(
        "whisper-untrimmed",
        "Whisper-base, with copies and untrimmed",
        "whisper",
        ("--recipe", "whisper-robust"),
    ),
    Experiment(
        "whisper-tiny-untrimmed",
        "Whisper-tiny.en, with copies and untrimmed",
        "whisper-tiny",
        (*_TINY, "--views", "0-3,7"),
    ),
    Experiment("whisper-logistic", "Whisper-base, logistic", "whisper", (*_WHISPER, "--model", "logistic")),
    Experiment("whisper-layers", "Whisper-base, learnt weights", "whisper", ("--recipe", "whisper-layers")),
    Experiment("whisper-frames", "Whisper-base, frames", "whisper-frames", ("--recipe", "whisper-frames")),
    Experiment("whisper-by-speaker", "Whisper-base by speaker", "whisper", (*_WHISPER, *_BY_SPEAKER)),
    *(
        Experiment(
            f"whisper-state-{state}",
            f"Whisper-base, mean of state {state}",
            "whisper-states",
            (*_WHISPER, "--set", f"{_STATE}.layers=[{state}]", "--set", f"{_STATE}.pooling=mean"),
        )
        for state in range(7)
    ),
    Experiment(
        "whisper-tess",
        "Whisper-base, TESS",
        "whisper-both",
        (*_WHISPER, *_COMMON7, "--datasets", "tess", "--protocol", "loso"),
    ),
    Experiment(
        "whisper-ravdess-tess",
        "Whisper-base, RAVDESS to TESS",
        "whisper-both",
        (*_WHISPER, *_COMMON7, "--protocol", "cross-corpus", "--train-on", "ravdess", "--test-on", "tess"),
    ),
    Experiment(
        "whisper-tess-ravdess",
        "Whisper-base, TESS to RAVDESS",
        "whisper-both",
        (*_WHISPER, *_COMMON7, "--protocol", "cross-corpus", "--train-on", "tess", "--test-on", "ravdess"),
    ),
    Experiment(
        "whisper-ravdess-demo",
        "Whisper-base, RAVDESS to the demo voices",
        "whisper-both",
        (*_WHISPER, *_COMMON7, "--protocol", "cross-corpus", "--train-on", "ravdess", "--test-on", "demo"),
    ),
    Experiment("whisper-kfold", "Whisper-base", "whisper", (*_WHISPER, "--protocol", "kfold:6")),
    Experiment(
        "whisper-sentence", "Whisper-base", "whisper", (*_WHISPER, "--protocol", "speaker+sentence:6")
    ),
    Experiment("whisper-random", "Whisper-base", "whisper", (*_WHISPER, "--protocol", "random")),
    Experiment(
        "whisper-leaky",
        "Whisper-base",
        "whisper",
        (*_WHISPER, "--protocol", "random", "--leak-views", "--views", "0-3"),
    ),
    Experiment("whisper-mean", "mean of base and tiny", "whisper", mean_of=("whisper-base", "whisper-tiny")),
    Experiment(
        "whisper-mean-4",
        "mean of four",
        "whisper",
        mean_of=("whisper-base", "whisper-robust", "whisper-tiny", "whisper-tiny-robust"),
    ),
    Experiment(
        "whisper-mean-heads",
        "mean of base, tiny and a network",
        "whisper",
        mean_of=("whisper-base", "whisper-tiny", "whisper-layers"),
    ),
    Experiment(
        "whisper-mean-frames",
        "mean of base, tiny and the other network",
        "whisper",
        mean_of=("whisper-base", "whisper-tiny", "whisper-frames"),
    ),
    Experiment(
        "whisper-mean-both-heads",
        "mean of base, tiny and both networks",
        "whisper",
        mean_of=("whisper-base", "whisper-tiny", "whisper-layers", "whisper-frames"),
    ),
    Experiment(
        "whisper-mean-untrimmed",
        "mean of four, copies with untrimmed",
        "whisper",
        mean_of=("whisper-base", "whisper-untrimmed", "whisper-tiny", "whisper-tiny-untrimmed"),
    ),
    Experiment(
        "whisper-mean-functionals",
        "mean of base, tiny and functionals",
        "whisper",
        ("--weights", "validation"),
        mean_of=("whisper-base", "whisper-tiny", "lda-emobox"),
    ),
)  # fmt: skip


UNRECORDED = "an AMD or an Intel processor, as docs/results.md says; the row did not record which"
"""Machine of rows that were measured before each recorded its own."""


def main() -> None:
    """Run unfinished experiments, print the table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument("--work", type=Path, default=Path("protocols"))
    parser.add_argument("--only", nargs="+", choices=[each.name for each in EXPERIMENTS])
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    chosen = [each for each in EXPERIMENTS if arguments.only is None or each.name in arguments.only]
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows = [_row(each, arguments) for each in chosen]
    print(comparison_table([_comparison(row) for row in rows]))
    write_document("protocols", {"rows": _with_earlier(rows)})


def _with_earlier(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of the experiments, including earlier rows that were not run this time."""
    file = RESULTS / "protocols.json"
    found = {row["name"]: row for row in json.loads(file.read_text())["rows"]} if file.exists() else {}
    found |= {row["name"]: row for row in rows}
    return [found[each.name] for each in EXPERIMENTS if each.name in found]


def _row(experiment: Experiment, arguments: argparse.Namespace) -> dict[str, Any]:
    """Result of an experiment, read from its file if it is finished."""
    done = arguments.work / f"{experiment.name}.json"
    if not done.exists() or not {"folder", "claim"} <= json.loads(done.read_text()).keys():
        values = _mean(experiment, arguments) if experiment.mean_of else _trained(experiment, arguments)
        done.write_text(json.dumps({**_figures(values), "machine": machine()}))
    command = f"ser-train --store {experiment.store}.zarr {shlex.join(experiment.options)}"
    if experiment.mean_of:
        command = f"ser-evaluate {shlex.join([*experiment.mean_of, *experiment.options])}"
    row = {"machine": UNRECORDED, **json.loads(done.read_text())}
    row.pop("folder")
    return {"name": experiment.name, "system": experiment.system, "command": command, **row}


def _trained(experiment: Experiment, arguments: argparse.Namespace) -> dict[str, Any]:
    """Result of `ser-train`."""
    store = _store(experiment.store, arguments)
    options = [*experiment.options, "--device", arguments.device, "--json"]
    return _run("training.cli.train", "--store", str(store), "--out", str(arguments.work / "runs"), *options)


def _mean(experiment: Experiment, arguments: argparse.Namespace) -> dict[str, Any]:
    """Result of `ser-evaluate` for the average of finished rows."""
    rows = [arguments.work / f"{name}.json" for name in experiment.mean_of]
    if absent := [row.stem for row in rows if not row.exists()]:
        sys.exit(f"{experiment.name} needs {', '.join(absent)}: name them with --only, too")
    folders = [json.loads(row.read_text())["folder"] for row in rows]
    return _run("training.cli.evaluate", *folders, *experiment.options, "--json")


def _figures(values: dict[str, Any]) -> dict[str, Any]:
    """Table row of one run, or of a series with its folds."""
    scores = values["pooled" if "pooled" in values else "test"]["emotion"]
    kept = ("ua", "wa", "macro_f1", "support", "speakers", "intervals")
    folds = {"over_folds": values["over_folds"]["emotion"]} if "over_folds" in values else {}
    folder = values.get("run", values.get("series"))
    named = {"folder": folder, "title": values["title"], "claim": values["claim"]}
    return {**named, **{name: scores[name] for name in kept}, **folds}


def _comparison(row: dict[str, Any]) -> ComparisonRow:
    interval = row["intervals"] and row["intervals"]["ua"]
    return ComparisonRow(
        name=row["system"],
        claim=TypeAdapter(Claim).validate_python(row["claim"]),
        ua=row["ua"],
        ua_interval=Interval(interval["low"], interval["high"]) if interval else None,
        wa=row["wa"],
        macro_f1=row["macro_f1"],
        clips=row["support"],
        speakers=row["speakers"],
    )


def _store(name: str, arguments: argparse.Namespace) -> Path:
    """Build the store ``name``; an existing store takes no time."""
    path: Path = arguments.work / f"{name}.zarr"
    options = [
        "--corpora",
        str(arguments.corpora),
        "--device",
        arguments.device,
        "--out",
        str(path),
        "--json",
    ]
    demo = arguments.work / "voices"
    if any("demo" in option for option in STORES[name]) and not demo.exists():
        _run("training.cli.features", "demo", "--corpora", str(demo), "--json")
    build = [option.replace("demo", f"demo={demo / 'demo'}") for option in STORES[name]]
    _run("training.cli.features", "build", *build, *options)
    return path


def _run(module: str, *arguments: str) -> dict[str, Any]:
    print(f"$ {module} {shlex.join(arguments)}", file=sys.stderr, flush=True)
    command = [sys.executable, "-c", f"from {module} import main; main()", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    values: dict[str, Any] = json.loads(done.stdout)
    return values


if __name__ == "__main__":
    main()
