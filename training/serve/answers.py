"""Answers to requests with files: read, predicted in threads, and put into one document."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from fastapi import Request, Response

from schemas.errors import RecordingError
from schemas.segmentation import Windows
from training.http.form import Upload
from training.serve.account import Account
from training.serve.documents import AnsweredClipJson, Documents, clip_json
from training.serve.explain import respond
from training.serve.intake import Intake
from training.serve.model import Heard, ServedModel


class Answers:
    """Answers requests with files."""

    def __init__(self, model: ServedModel, documents: Documents, pool: ThreadPoolExecutor) -> None:
        self._model, self._documents, self._pool = model, documents, pool
        self._intake = Intake(model.limits)

    async def answer(self, request: Request, windows: Windows | None) -> Response:
        """Predictions for the files of a request; of several, those that are usable."""
        account: Account = request.state.account
        with self._intake.room() as room:
            files = await self._intake.files(request.scope, request.receive, room, account)
            with self._intake.slot():
                loop = asyncio.get_running_loop()
                found = await asyncio.gather(
                    *(loop.run_in_executor(self._pool, self._predict, file, windows) for file in files)
                )
        clips: list[AnsweredClipJson] = []
        for clip, heard in found:
            clips.append(clip)
            account.clips += 1
            account.rows += len(clip["predictions"])
            account.unusable += heard is None
            account.audio_s += 0.0 if heard is None else heard.duration_s
        status = 422 if all(clip["problem"] for clip in clips) else 200
        return respond(status, self._documents.answer(clips))

    def _predict(self, file: Upload, windows: Windows | None) -> tuple[AnsweredClipJson, Heard | None]:
        try:
            heard = self._model.predict(file.content, windows)
        except RecordingError as error:
            return clip_json(file.name, str(error)), None
        return clip_json(file.name, heard), heard
