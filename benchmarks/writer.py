"""Clips per second that the writing half of a build sustains: gather, encode, hash and write.

    python benchmarks/writer.py

Ready tables take the place of decoding and of the device: a few batches of the demo voices, computed once,
are given to the build again and again. Seconds are those of the processor, because wall times of a busy
machine say little. The projection takes a writer per four cores, and the gathering thread for itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from machine import write_result

from data.demo import EMOTIONS
from data.voices.prosody import SENTENCES, cast, plan_clip
from data.voices.synthesis import SAMPLE_RATE, render
from featurestore.compute.execution import Execution
from featurestore.compute.processing import ProcessedClip
from featurestore.compute.reader import ReadClip
from featurestore.compute.stages import Stages
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.plan.growth import UnitWork
from featurestore.plan.units import SourceClip, plan_units
from featurestore.progress import Silent
from pipelines.decode import Recording, decode
from pipelines.feature_batch import FeatureBatch
from pipelines.pipeline import Pipeline
from pipelines.process import compute_alone, keep_freed_memory
from pipelines.version import FEATURE_VERSION
from schemas.clip import Clip
from schemas.features import named_features
from schemas.labels import Emotion, Gender
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec

BATCH = 64
"""Clips of a batch of a GPU, whose tables lie together in memory."""

WARM = 2
"""Units that do not count: with one writer, this many are in memory."""

CORES, WRITER_SHARE = 16, 4
"""The machine that the projection is for, and its cores per writer."""

FEATURES = {"default recipe": "mel,mfcc,rms,zcr", "all features": "all"}


@dataclass(frozen=True)
class ReadyTables(Execution):
    """An execution that computes nothing: it takes batches that are ready, in turn."""

    batches: tuple[FeatureBatch, ...] = ()
    recording: Recording | None = None

    def _process(self, _: StoreSpec, sources: Sequence[SourceClip]) -> Generator[ProcessedClip]:
        left = iter(sources)
        for batch in cycle(self.batches):
            for index in range(BATCH):
                source = next(left, None)
                if source is None:
                    return
                read = ReadClip(source, source.audio_sha256, self.recording)
                yield ProcessedClip(read, batch.clip(index))


def sources(count: int) -> tuple[SourceClip, ...]:
    """Clips of 24 speakers, in the order of a corpus."""
    emotions = tuple(Emotion)
    return tuple(
        SourceClip(
            Clip(
                clip_id=f"bench/{24 * number // count:02}_{number:06}",
                dataset="bench",
                path=f"{24 * number // count:02}/{number:06}.wav",
                speaker=f"bench/{24 * number // count:02}",
                gender=Gender.FEMALE,
                emotion=emotions[number % len(emotions)],
                label="bench",
            ),
            Path(f"{number:06}.wav"),
            f"{number:064x}",
        )
        for number in range(count)
    )


def recordings(count: int, spec: StoreSpec) -> list[Recording]:
    """Different demo voices, as the reader gives them."""
    out = []
    voices = product(EMOTIONS, cast(), SENTENCES)
    for emotion, speaker, sentence in islice(voices, count):
        file = BytesIO()
        soundfile.write(file, render(plan_clip(speaker, sentence, emotion, 1)), SAMPLE_RATE, format="WAV")
        out.append(decode(file.getvalue(), spec.audio))
    return out


def tables(spec: StoreSpec, batches: int) -> tuple[tuple[FeatureBatch, ...], Recording]:
    """Batches of features laid out as a GPU gives them: the features of a view are columns of one table."""
    pipeline = Pipeline(spec, torch.device("cpu"))
    voices = recordings(batches * BATCH, spec)
    made = []
    for first in range(0, len(voices), BATCH):
        some = voices[first : first + BATCH]
        clips = [pipeline([f"bench/{first + i}"], [one.samples]) for i, one in enumerate(some)]
        joined = {name: np.concatenate([clip.arrays[name] for clip in clips], axis=1) for name in spec.shapes}
        table = np.concatenate(list(joined.values()), axis=2)
        ends = np.cumsum([rows for rows, _ in spec.shapes.values()])
        parts = zip(spec.shapes, ends, spec.shapes.values(), strict=True)
        made.append(
            FeatureBatch(
                {name: table[:, :, end - rows : end] for name, end, (rows, _) in parts},
                *(
                    np.concatenate([getattr(clip, field) for clip in clips], axis=1)
                    for field in ("samples", "valid_frames", "parameters")
                ),
                *(
                    {
                        name: np.concatenate([getattr(clip, field)[name] for clip in clips], axis=1)
                        for name in spec.shapes
                    }
                    for field in ("mean", "m2")
                ),
            )
        )
    return tuple(made), voices[0]


def write_once(features: str, clips: int, batches: int) -> dict[str, Any]:
    """Write a corpus of ``clips`` clips; processor seconds, wall seconds, and stages."""
    keep_freed_memory()
    compute_alone()
    recipe = load_recipe("four-corpora-a").store_spec(6)
    spec = recipe.model_copy(update={"features": named_features(features, recipe.features)})
    with tempfile.TemporaryDirectory() as folder:
        ready, recording = tables(spec, batches)
        units = plan_units("bench", sources(clips), spec, FEATURE_VERSION, ())
        works = [UnitWork(unit, spec, spec, None) for unit in units]
        place, stages = Folder(Path(folder, "s.zarr")), Stages()
        with exclusive(place) as token:
            fixed = (place, token, torch.device("cpu"), "soundfile", 1, stages, Counter[str]())
            build = ReadyTables(*fixed, batches=ready, recording=recording)
            for _ in build.run(works[:WARM], Silent()):  # memory, codecs and folders are there from here on
                pass
            warm = stages.seconds()
            started, processor, main = time.perf_counter(), time.process_time(), time.thread_time()
            for _ in build.run(works[WARM:], Silent()):
                pass
            seconds = time.perf_counter() - started
            cpu, gathering = time.process_time() - processor, time.thread_time() - main
    written = sum(len(unit.clips) for unit in units[WARM:])
    taken = {name: total - warm.get(name, 0.0) for name, total in stages.seconds().items()}
    return {"clips": written, "seconds": seconds, "cpu_s": cpu, "main_cpu_s": gathering, "stages_s": taken}


def figures(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians per clip, in milliseconds, and what follows from them."""
    cpu, main, wall = (
        statistics.median(1e3 * run[name] / run["clips"] for run in runs)
        for name in ("cpu_s", "main_cpu_s", "seconds")
    )
    writers = CORES // WRITER_SHARE
    return {
        "cpu_ms_per_clip": cpu,
        "of_these_the_gathering_thread": main,
        "wall_ms_per_clip": wall,
        "clips_per_s_per_core": 1e3 / cpu,
        f"clips_per_s_projected_for_{CORES}_cores": min(1e3 / main, writers * 1e3 / (cpu - main)),
        "runs": list(runs),
    }


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, default=256 * 5, help="the first 512 do not count")
    parser.add_argument("--batches", type=int, default=2, help="different batches of 64 clips")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--name", default="writer", help="name of the result")
    parser.add_argument("--once", choices=FEATURES, help="one run in this process, printed as JSON")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(write_once(FEATURES[options.once], options.clips, options.batches)))
        return
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in FEATURES}
    command = [sys.executable, __file__, "--clips", str(options.clips), "--batches", str(options.batches)]
    for _ in range(options.repeat):
        for name, done in runs.items():
            process = subprocess.run([*command, "--once", name], capture_output=True, text=True, check=False)
            if process.returncode:
                sys.exit(process.stderr)
            done.append(json.loads(process.stdout))
    found = {name: figures(done) for name, done in runs.items()}
    for name, figure in found.items():
        print(name)
        for what, value in figure.items():
            if what != "runs":
                print(f"    {what.replace('_', ' '):45} {value:9.2f}")
    said = " ".join(["python", "benchmarks/writer.py", *sys.argv[1:]])
    print(write_result(options.name, {"command": said, **found}))


if __name__ == "__main__":
    main()
