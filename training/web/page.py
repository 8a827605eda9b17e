"""The page itself, in Gradio: a place for a recording, and the answer beside it."""

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
from training.web.limits import Limits
from training.web.uploads import UploadGoneError, Uploads

TITLE = "What does a recording sound like?"

_WAITING = 64
"""Questions that may wait for their turn; further ones are told to come back."""

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

_log = logging.getLogger(__name__)


class _UploadName(GradioRootModel):
    root: str | None


def page(
    predictor: Predictor, facts: Facts, limits: Limits, uploads: Uploads, public_url: str | None
) -> FastAPI:
    """ASGI application that shows ``predictor``; to stand behind a :class:`training.web.gate.Gate`."""

    def respond(token: str | None) -> tuple[None, str]:
        """Empty the place for a recording; what is said of it."""
        try:
            with uploads.take(token or "") as upload:
                try:
                    return None, answer_html(answer(predictor, upload, limits), facts)
                except RecordingError as error:
                    return None, problem(upload.name, str(error))
        except UploadGoneError as error:
            return None, problem("No answer", str(error))
        except Exception:  # noqa: BLE001 a visitor's file must end neither the server nor in a traceback
            # Visitors get a sentence; who runs the server sees why.
            _log.exception("a recording could not be answered")
            return None, problem("No answer", "the server failed; its terminal says why")

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
            shown = gr.HTML(waiting(), elem_id="ser-answer", apply_default_css=False)
            gr.HTML(about(facts, limits), elem_id="ser-about", apply_default_css=False)
        # What it sends is the name of an upload, as the gate lets it through: Gradio is to open no file.
        clip.data_model = _UploadName  # type: ignore[assignment]
        gr.on(
            [clip.upload, clip.stop_recording],
            respond,
            inputs=clip,
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
    return mounted


def _head() -> str:
    """The style, as it stands: Gradio narrows what it gets as ``css`` to what lies within its frame."""
    style = resources.files("training.web").joinpath("templates/page.css").read_text("utf-8")
    return f"<style>\n{style}</style>"
