"""The page itself, in Gradio: an input for a recording, and the answer next to it."""

from __future__ import annotations

import logging
from importlib import resources

import gradio as gr
from fastapi import FastAPI
from gradio.data_classes import GradioRootModel

from schemas.errors import RecordingError
from training.predict.predictor import Predictor
from training.web.answer import answer
from training.web.facts import Facts
from training.web.fragments import about, answer_html, model_html, problem, waiting
from training.web.gradio_sessions import forget_sessions
from training.web.limits import Limits
from training.web.sessions import Sessions
from training.web.uploads import UploadGoneError, Uploads

TITLE = "What does a recording sound like?"

_WAITING = 64
"""Requests that may wait; more are asked to come back later."""

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

_log = logging.getLogger(__name__)


class _UploadName(GradioRootModel):
    root: str | None


def page(
    predictor: Predictor,
    facts: Facts,
    limits: Limits,
    uploads: Uploads,
    sessions: Sessions,
    public_url: str | None,
) -> FastAPI:
    """ASGI application of the page, to be used behind a :class:`training.web.gate.Gate`."""

    def respond(token: str | None, explains: bool, request: gr.Request) -> tuple[None, str]:  # noqa: FBT001
        """Return an empty input, and the answer to the upload called ``token``."""
        try:
            with uploads.take(token or "") as upload:
                if not sessions.is_awaited(str(request.session_hash)):
                    return None, problem("No answer", "nobody waited for it; send the recording again")
                try:
                    found = answer(predictor, upload, limits, explains=explains)
                    return None, answer_html(found, facts)
                except RecordingError as error:
                    return None, problem(upload.name, str(error))
        except UploadGoneError as error:
            return None, problem("No answer", str(error))
        except Exception:  # noqa: BLE001 a visitor's file must neither stop the server nor show a traceback
            # Visitors get a sentence; the operator sees the cause.
            _log.exception("a recording could not be answered")
            return None, problem("No answer", "the server failed; its terminal shows the cause")

    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        gr.HTML(f"<h1>{TITLE}</h1>", elem_id="ser-title", apply_default_css=False)
        gr.HTML(model_html(facts), elem_id="ser-model", apply_default_css=False)
        with gr.Row(elem_id="ser-main"):
            clip = gr.Audio(
                sources=["upload", "microphone"],
                label="Recording",
                editable=False,
                buttons=[],
                elem_id="ser-clip",
            )
            explains = gr.Checkbox(
                label="Also show what the model listens to (takes longer)",
                container=False,
                elem_id="ser-explain",
            )
            shown = gr.HTML(waiting(), elem_id="ser-answer", apply_default_css=False)
            gr.HTML(about(facts, limits), elem_id="ser-about", apply_default_css=False)
        # The gate passes only the name of an upload, and Gradio must not open any file.
        clip.data_model = _UploadName  # type: ignore[assignment]
        gr.on(
            [clip.upload, clip.stop_recording],
            respond,
            inputs=[clip, explains],
            outputs=[clip, shown],
            preprocess=False,
            api_visibility="private",
            concurrency_limit=limits.users,
            show_progress="minimal",
            show_progress_on=shown,
        )
    blocks.queue(max_size=_WAITING, api_open=False)
    mounted: FastAPI = gr.mount_gradio_app(
        FastAPI(openapi_url=None, docs_url=None, redoc_url=None),
        blocks,
        path="/",
        root_path=public_url,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        max_file_size=limits.upload_bytes,
        theme=gr.themes.Base(font=_FONTS, font_mono=_MONO),
        head=_head(),
    )
    forget_sessions(mounted)
    return mounted


def _head() -> str:
    """The page's style. It is not passed as ``css``, because Gradio limits that to elements in its frame."""
    style = resources.files("training.web").joinpath("templates/page.css").read_text("utf-8")
    return f"<style>\n{style}</style>"
