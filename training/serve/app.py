"""The routes of the service."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas.errors import UsageError
from schemas.segmentation import Windows
from training.serve.account import Account, Metrics
from training.serve.answers import Answers
from training.serve.documents import (
    AnswerJson,
    DetailJson,
    Documents,
    ModelJson,
)
from training.serve.explain import explain_errors, respond
from training.serve.limits import ServiceLimits
from training.serve.model import ServedModel
from training.serve.refusal import RefusedError
from training.serve.stream import ENCODINGS, HIGHEST_RATE, LOWEST_RATE, ClientGoneError, Encoding, Stream

_JSON = "application/json"

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One recording as it is, or a form with one or several files.",
        "content": {
            "audio/wav": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
        },
    }
}

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": DetailJson, "description": why}
    for status, why in (
        (400, "The body is malformed."),
        (401, "The token is missing or wrong."),
        (408, "The body took too long."),
        (413, "The body is too large."),
        (429, "Too many requests per minute; see Retry-After."),
        (503, "Too many requests at the same time; see Retry-After."),
    )
}

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": AnswerJson, "description": "Predictions, and the problems of files that have none."},
    422: {"model": AnswerJson, "description": "No file has a prediction, or the windows are not possible."},
    **_REFUSALS,
}


@dataclass(frozen=True)
class Workers:
    """Threads for files and for streams. They wait most of the time: as many compute as there are cores."""

    files: ThreadPoolExecutor
    streams: ThreadPoolExecutor

    @classmethod
    def start(cls, limits: ServiceLimits) -> Workers:
        """Start as many threads as requests and streams may be answered at the same time."""
        return cls(
            ThreadPoolExecutor(limits.max_requests, "file"), ThreadPoolExecutor(limits.max_streams, "stream")
        )

    def close(self) -> None:
        """Start nothing more; what runs ends on its own."""
        for pool in (self.files, self.streams):
            pool.shutdown(wait=False, cancel_futures=True)


def new_app(model: ServedModel, documents: Documents, metrics: Metrics, workers: Workers) -> FastAPI:
    """The service behind its :class:`training.serve.door.Door`, which checks tokens and writes the log."""
    app = FastAPIOffline(
        redoc_url=None,
        title="ser-serve",
        version=documents.model()["version"],
        summary="The emotion that a recording sounds like, or its valence, arousal and dominance.",
        description="Probabilities show how a model divides its confidence among the emotions that it was "
        "trained on. They do not show what a speaker feels. Do not use them to judge people.",
    )
    explain_errors(app)
    _add_predictions(app, model, Answers(model, documents, workers.files))
    _add_stream(app, model, _StreamCount(model.limits.max_streams, metrics.streams.set), workers.streams)

    @app.get("/v1/model", responses={200: {"model": ModelJson}, 401: _REFUSALS[401]}, tags=["model"])
    async def served() -> Response:
        """The model: how it was tested, what it learnt from, its card, hashes and limits."""
        return respond(200, documents.model())

    @app.get("/healthz", tags=["operation"])
    async def health() -> dict[str, str]:
        """Whether the service accepts requests."""
        return {"status": "ok"}

    @app.get("/metrics", tags=["operation"], response_class=Response)
    async def measure() -> Response:
        """Metrics for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    _describe_security(app)
    return app


def _add_predictions(app: FastAPI, model: ServedModel, answers: Answers) -> None:
    @app.post("/v1/predict", responses=_ANSWERS, openapi_extra=_BODY, tags=["predictions"])
    async def predict(request: Request) -> Response:
        """Predict recordings, each as a whole, like ``ser-predict RUN CLIP… --json``.

        A recording that is longer than one prediction covers is predicted in windows.
        """
        return await answers.answer(request, None)

    @app.post("/v1/windows", responses=_ANSWERS, openapi_extra=_BODY, tags=["predictions"])
    async def windows(
        request: Request,
        window: Annotated[
            float | None, Query(description="Seconds per window. Default: the model's own.")
        ] = None,
        step: Annotated[float, Query(description="Seconds from one window to the next.")] = 1.0,
    ) -> Response:
        """Predict windows of recordings, like ``ser-predict RUN CLIP… --window W --step S --json``."""
        return await answers.answer(request, _windows(model, window, step))


def _add_stream(app: FastAPI, model: ServedModel, streams: _StreamCount, pool: ThreadPoolExecutor) -> None:
    @app.websocket("/v1/stream")
    async def stream(
        websocket: WebSocket,
        rate: int,
        encoding: str = "s16le",
        window: float | None = None,
        step: float = 1.0,
    ) -> None:
        chosen = _windows(model, window, step)
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise RefusedError(
                422, f"rate={rate} is out of range; give {LOWEST_RATE:,} to {HIGHEST_RATE:,} Hz, as recorded"
            )
        samples = _encoding(encoding)
        account: Account = websocket.state.account
        with streams.one():
            await websocket.accept()
            heard = Stream(websocket, model, rate, samples, chosen, account)
            try:
                await heard.answer(pool)
            except ClientGoneError:
                account.status = 499


class _StreamCount:
    """Streams that are open."""

    def __init__(self, most: int, show: Callable[[float], object]) -> None:
        self._most, self._show, self._open = most, show, 0

    def one(self) -> _StreamCount:
        """Context of one more. Raises :class:`RefusedError` if there are enough."""
        if self._open >= self._most:
            raise RefusedError(503, "too many streams are open; try again later", 5.0)
        return self

    def __enter__(self) -> None:
        self._open += 1
        self._show(self._open)

    def __exit__(self, *_: object) -> None:
        self._open -= 1
        self._show(self._open)


def _windows(model: ServedModel, window: float | None, step: float) -> Windows:
    try:
        return model.windows(window, step)
    except UsageError as error:
        raise RefusedError(422, str(error)) from error


def _encoding(name: str) -> Encoding:
    for encoding in ENCODINGS:
        if name == encoding:
            return encoding
    raise RefusedError(422, f"encoding={name[:20]} is not known; give {' or '.join(ENCODINGS)}")


def _describe_security(app: FastAPI) -> None:
    """Let the page of the interface ask for the token."""
    schema = app.openapi()
    schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}]
    app.openapi_schema = schema
