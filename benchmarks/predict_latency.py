"""Latency of a model on features of Whisper, on one core: in Python, in the demo, and from a cold start.

    python benchmarks/predict_latency.py RUN CLIP… --encoder whisper-base=FOLDER

Clips have 3 s of sound. The predictor predicts them one by one, in turn with a script of the usual way: the
same weights in ``transformers`` on the window of 30 s, all layers, and the same classifier on pooled states.
The demo's server is started as a program, and answers each clip over HTTP. The command ``ser-predict`` is
timed from its call to the printed row. All with one thread; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
import torch
import transformers
from encoders import reference
from machine import write_result

from pipelines.decode import decode_sound
from pipelines.encoders.pooling import pool
from pipelines.encoders.weights import find_weights
from schemas.spec import AudioSpec
from training.predict.predictor import Predictor

SECONDS = 3.0
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
PREDICT = "import sys; from training.cli.predict import main; sys.argv[0] = 'ser-predict'; main()"
DEMO = "import sys; from training.cli.demo import main; sys.argv[0] = 'ser-demo'; main()"
CLAIMS = {"predictor_processor_ms": 150.0, "demo_answer_ms": 1000.0}
"""Targets of the medians."""


def cut(files: Sequence[Path], audio: AudioSpec) -> list[bytes]:
    """Sound of :data:`SECONDS` from each recording, as WAV files: trimmed, and repeated if it is shorter."""
    out = []
    for file in files:
        samples = decode_sound(file.read_bytes(), audio).samples
        content = BytesIO()
        sound = np.resize(samples, round(SECONDS * audio.sample_rate))
        soundfile.write(content, sound, audio.sample_rate, format="WAV")
        out.append(content.getvalue())
    return out


def usual_way(predictor: Predictor, folder: Path) -> Callable[[bytes], object]:
    """Predict a clip with ``transformers``: a window of 30 s, and all layers."""
    network, extractor = reference(find_weights(folder), 1500), transformers.WhisperFeatureExtractor()
    (feature,) = predictor.spec.encoders

    @torch.inference_mode()
    def predict(content: bytes) -> object:
        samples = decode_sound(content, predictor.spec.audio).samples
        mel = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
        states = network(mel, output_hidden_states=True).hidden_states
        frames = -(-len(samples) // 320)
        hidden = torch.stack([states[layer] for layer in feature.all_layers], dim=1)[:, :, :frames]
        vectors = pool(hidden, feature.statistics).transpose(1, 2).half()
        return predictor.marginal(predictor.score(vectors, torch.ones(1, dtype=torch.int64)))

    return predict


def timed(predict: Callable[[Any], object], clip: object) -> tuple[float, float]:
    """Wall and processor milliseconds."""
    wall, processor = time.perf_counter(), time.process_time()
    predict(clip)
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)


@contextmanager
def demo(run: Path, encoder: str) -> Iterator[tuple[httpx.Client, int]]:
    """A client of the demo's server, and the server's process."""
    process = subprocess.Popen(
        [sys.executable, "-c", DEMO, str(run), "--port", "0", "--encoder", encoder],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
        with httpx.Client(base_url=url.rstrip("/"), timeout=120, trust_env=False) as client:
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(60)


def ask(client: httpx.Client, content: bytes) -> None:
    """Upload a recording and wait for the answer, as the page does."""
    session = uuid.uuid4().hex
    (token,) = client.post("/gradio_api/upload", files={"files": ("clip.wav", content)}).json()
    file = {"path": token, "meta": {"_type": "gradio.FileData"}}
    question = {"data": [file], "fn_index": 0, "session_hash": session}
    client.post("/gradio_api/queue/join", json=question).raise_for_status()
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and json.loads(line[5:])["msg"] == "process_completed":
                if not json.loads(line[5:])["success"]:
                    sys.exit(f"the demo failed: {line}")
                return


def processor_s(process: int) -> float:
    """Processor seconds that a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_command(run: Path, clip: Path, encoder: str) -> tuple[float, float]:
    """Wall and processor seconds of ``ser-predict RUN CLIP``."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", PREDICT, str(run), str(clip), "--encoder", encoder],
        env=ENVIRONMENT, check=True, capture_output=True,
    )  # fmt: skip
    seconds, after = time.perf_counter() - begun, os.times()
    return seconds, sum(after[2:4]) - sum(before[2:4])


def measure(run: Path, files: Sequence[Path], encoder: str, repeat: int) -> dict[str, float]:
    """Medians over clips, and for the command over ``repeat`` calls."""
    name, _, folder = encoder.partition("=")
    torch.set_num_threads(1)
    predictor = Predictor.open(run, "cpu", {name: Path(folder)})
    clips, script = cut(files, predictor.spec.audio), usual_way(predictor, Path(folder))
    ours, usual, answers = [], [], []
    for way in (predictor.predict, script):
        timed(way, clips[0])
    for clip in clips:
        ours.append(timed(predictor.predict, clip))
        usual.append(timed(script, clip))
    with demo(run, encoder) as (client, server):
        ask(client, clips[0])
        before = processor_s(server)
        answers = [timed(lambda clip: ask(client, clip), clip)[0] for clip in clips]
        computed = processor_s(server) - before
    commands = [start_command(run, files[0], encoder) for _ in range(repeat)]

    def median(pairs: Sequence[tuple[float, float]], index: int) -> float:
        return statistics.median(pair[index] for pair in pairs)

    return {
        "clips": len(clips),
        "clip_s": SECONDS,
        "predictor_ms": median(ours, 0),
        "predictor_processor_ms": median(ours, 1),
        "usual_ms": median(usual, 0),
        "usual_processor_ms": median(usual, 1),
        "times_usual": median(usual, 1) / median(ours, 1),
        "demo_answer_ms": statistics.median(answers),
        "demo_processor_ms": 1e3 * computed / len(clips),
        "command_s": median(commands, 0),
        "command_processor_s": median(commands, 1),
    }


def main() -> None:
    """Run the benchmark, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--encoder", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    found = measure(options.run, options.clips, options.encoder, options.repeat)
    for name, value in found.items():
        target = f"   target: {CLAIMS[name]:g}" if name in CLAIMS else ""
        print(f"{name:24} {value:9.1f}{target}")
    print(write_result("predict_latency", found))


if __name__ == "__main__":
    main()
