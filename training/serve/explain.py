"""Every error as one sentence of JSON, also those of FastAPI and Starlette."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import (
    RequestValidationError,
    ValidationException,
    WebSocketRequestValidationError,
)
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from training.serve.batches import StoppingError
from training.serve.documents import AnswerJson, DetailJson, ModelJson, encode
from training.serve.refusal import FAILED, RefusedError

_SENTENCES = {404: "there is nothing here; see /docs", 405: "this route has another method; see /docs"}


def respond(
    status: int, document: AnswerJson | ModelJson | DetailJson, headers: Mapping[str, str] | None = None
) -> Response:
    """Respond with a document."""
    return Response(encode(document), status, headers, media_type="application/json")


def explain_errors(app: FastAPI) -> None:
    """Let ``app`` answer errors with a sentence. Those of WebSockets are left to the door."""

    @app.exception_handler(RefusedError)
    async def refuse(connection: HTTPConnection, refused: RefusedError) -> Response:
        if isinstance(connection, WebSocket):
            raise refused
        return respond(refused.status, {"detail": str(refused)}, refused.headers)

    @app.exception_handler(StoppingError)
    async def stop(connection: HTTPConnection, stopping: StoppingError) -> Response:
        return await refuse(connection, RefusedError(503, str(stopping), 5.0))

    @app.exception_handler(Exception)
    async def fail(_: Request, __: Exception) -> Response:
        return respond(500, {"detail": FAILED})

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(WebSocketRequestValidationError)
    async def explain(connection: HTTPConnection, error: ValidationException) -> Response:
        return await refuse(connection, RefusedError(422, _sentence(error)))

    @app.exception_handler(HTTPException)
    async def explain_status(_: Request, error: HTTPException) -> Response:
        return respond(error.status_code, {"detail": _SENTENCES.get(error.status_code, str(error.detail))})


def _sentence(error: ValidationException) -> str:
    """The first problem of query parameters."""
    first = error.errors()[0]
    name = first["loc"][-1] if first["loc"] else "the request"
    return f"{name}: {first['msg'].lower()}; see /docs"
