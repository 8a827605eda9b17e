"""The service's predictions are those of ``ser-predict``, however requests come."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydantic import TypeAdapter

from schemas.overrides import override
from tests.training.rated import TINY
from tests.training.serve.conftest import Asked, Serve, predicted, same_rows, serving
from training.campaign import train_all
from training.predict.predictor import Predictor
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder
from training.serve.documents import AnswerJson, DetailJson, ModelJson
from training.serve.tokens import Tokens


def batches_of_several(served: Asked) -> float:
    """Number of batches so far with more than one clip."""
    with served.client() as client:
        lines = client.get("/metrics").text.splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if line.startswith("ser_batch_clips"))
    return float(found["ser_batch_clips_count"]) - float(found['ser_batch_clips_bucket{le="1.0"}'])


def test_clips_of_many_clients_at_once_have_the_numbers_of_ser_predict(
    served: Asked, run: Path, clips: list[Path]
) -> None:
    asked = clips[::4]
    expected = predicted(run, *asked)
    before = batches_of_several(served)

    def ask(clip: Path) -> dict[str, object]:
        with served.client() as client:
            reply = client.post("/v1/predict", content=clip.read_bytes())
        assert reply.status_code == 200, reply.text
        TypeAdapter(AnswerJson).validate_python(reply.json(), strict=True)
        return reply.json()

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, asked))
    assert batches_of_several(served) > before
    for one, clip in zip(found, expected["clips"], strict=True):
        (answered,) = one["clips"]
        assert (answered["clip"], answered["problem"], answered["notes"]) == ("-", None, [])
        same_rows(answered["predictions"], clip["predictions"])
        assert one["emotions"] == expected["emotions"]
        assert one["format"] == expected["format"]
        (model,), (known,) = one["models"], expected["models"]
        assert model == known | {"run": run.name}  # clients do not learn where it is


def test_windows_are_those_of_ser_predict(served: Asked, run: Path, clips: list[Path]) -> None:
    expected = predicted(run, clips[3], "--window", 0.4, "--step", 0.15)
    with served.client() as client:
        reply = client.post("/v1/windows?window=0.4&step=0.15", content=clips[3].read_bytes())
        own = client.post("/v1/windows", content=clips[3].read_bytes()).json()
    assert len(expected["clips"][0]["predictions"]) > 5
    same_rows(reply.json()["clips"][0]["predictions"], expected["clips"][0]["predictions"])
    assert own["clips"][0]["predictions"][0]["stop_s"] == 0.5  # the model's own window


def test_a_form_with_files_is_answered_like_the_command_bad_files_too(
    served: Asked, run: Path, clips: list[Path], tmp_path: Path
) -> None:
    silent, text = tmp_path / "silent.wav", tmp_path / "notes.txt"
    soundfile.write(silent, np.zeros(16_000), 16_000)
    text.write_text("no recording")
    files = [clips[0], silent, text, clips[1]]
    expected = predicted(run, *files, status=1)["clips"]
    with served.client() as client:
        reply = client.post("/v1/predict", files=[("files", (f.name, f.read_bytes())) for f in files])
        none = client.post("/v1/predict", files={"one": ("silent.wav", silent.read_bytes())})
    assert reply.status_code == 200
    found = reply.json()["clips"]
    assert [clip["clip"] for clip in found] == [file.name for file in files]
    assert [clip["problem"] for clip in found] == [clip["problem"] for clip in expected]
    for one, two in zip(found, expected, strict=True):
        same_rows(one["predictions"], two["predictions"])
    assert none.status_code == 422
    assert none.json()["detail"] == f"silent.wav: {expected[1]['problem']}"
    TypeAdapter(AnswerJson).validate_python(none.json(), strict=True)


def test_a_recording_beyond_one_prediction_is_cut_into_windows_as_by_the_command(
    serve: Serve, run: Path, clips: list[Path], tmp_path: Path
) -> None:
    samples, rate = soundfile.read(clips[0], dtype="float32")
    path = tmp_path / "long.wav"
    soundfile.write(path, np.resize(samples, 70 * rate), rate)
    expected = predicted(run, path)["clips"][0]["predictions"]
    with serve().client() as client:
        (found,) = client.post("/v1/predict", content=path.read_bytes()).json()["clips"]
    same_rows(found["predictions"], expected)
    assert "one prediction covers at most 60 s" in found["notes"][0]


def test_a_series_and_a_run_are_averaged_as_by_ser_predict(
    run: Path, small_store: Path, clips: list[Path], tmp_path: Path
) -> None:
    changes = ["model.name=functionals-lda", "train.views=[0]", "split.protocol=kfold:2"]
    recipe = override(TINY, changes)
    request = TrainRequest(store=small_store, recipe=recipe, output=tmp_path, hardware=Hardware("cpu"))
    train_all(request, None, SilentObserver())
    (series,) = tmp_path.iterdir()
    expected = predicted(series, clips[7], "--with", run)["clips"][0]["predictions"]
    with serving((series, run), Tokens()) as asked, asked.client() as client:
        found = client.post("/v1/predict", content=clips[7].read_bytes()).json()
        model = client.get("/v1/model").json()
    same_rows(found["clips"][0]["predictions"], expected)
    assert [each["run"] for each in found["models"]] == [series.name, run.name]
    weights = {name for name in model["runs"][0]["sha256"] if name.endswith("linear.safetensors")}
    assert weights == {"fold-1/linear.safetensors", "fold-2/linear.safetensors"}


def test_the_model_says_how_good_it_is_and_what_it_is(served: Asked, run: Path) -> None:
    with served.client() as client:
        found = client.get("/v1/model").json()
    TypeAdapter(ModelJson).validate_python(found, strict=True)
    predictor, record = Predictor.open(run, "cpu"), RunFolder.open(run).record()
    assert found["emotions"] == list(predictor.emotions)
    assert found["window_s"] == predictor.window_s == 0.5
    (known,) = found["runs"]
    assert known["tested"]["protocol"].startswith("speaker-independent")
    assert 0 <= known["tested"]["ua"] <= 1
    assert known["card"] == (run / "README.md").read_text(encoding="utf-8")
    assert known["store_digest"] == record.store_digest
    assert known["speakers"] == len(record.heard)
    assert known["trained_on"][0]["licence"]
    weights = (run / "checkpoints" / "best.safetensors").read_bytes()
    assert known["sha256"]["checkpoints/best.safetensors"] == hashlib.sha256(weights).hexdigest()
    assert str(run.parent) not in str(found)


def test_the_page_of_the_interface_is_complete_and_needs_no_other_server(served: Asked) -> None:
    with served.client() as client:
        page = client.get("/docs")
        schema = client.get("/openapi.json").json()
        script = client.get("/static-offline-docs/swagger-ui-bundle.js")
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert script.status_code == 200
        assert client.get("/nothing").json() == {"detail": "there is nothing here; see /docs"}
    assert {*schema["paths"]} == {"/v1/predict", "/v1/windows", "/v1/model", "/healthz", "/metrics"}
    answered = schema["paths"]["/v1/predict"]["post"]["responses"]
    assert {"200", "400", "401", "408", "413", "422", "429", "503"} <= {*answered}
    assert "AnswerJson" in schema["components"]["schemas"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "/v1/windows?window=7",
            "windows of 7 s: the model hears 0.1 to 0.5 s; choose a window in this range",
        ),
        ("/v1/windows?step=0", "a step of 0 s is out of range; give 0.01 to 3,600 s"),
        ("/v1/windows?step=90", "a step of 90 s is out of range; give at most 60 s"),
        ("/v1/windows?step=nan", "a step of nan s is out of range; give 0.01 to 3,600 s"),
        ("/v1/windows?window=x", "window: input should be a valid number"),
    ],
)
def test_windows_that_are_not_possible_are_one_sentence(served: Asked, path: str, sentence: str) -> None:
    with served.client() as client:
        reply = client.post(path, content=b"x")
    assert reply.status_code == 422
    TypeAdapter(DetailJson).validate_python(reply.json(), strict=True)
    assert reply.json()["detail"].startswith(sentence)
