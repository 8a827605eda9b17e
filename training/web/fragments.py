"""HTML fragments of the page. Every value is escaped, because file names come from visitors."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any

import numpy as np
import soundfile
from jinja2 import Environment

from featurestore.page.picture import Picture, png_picture
from featurestore.page.render import templates
from schemas.messages.printable import escape_controls
from training.explain.occlusion import Occlusion
from training.explain.picture import describe, occlusion_figure
from training.explain.sizes import WINDOW_S
from training.web.answer import DemoAnswer
from training.web.facts import CAVEAT, Facts
from training.web.hearing import HeardClip
from training.web.limits import Limits
from training.web.pictures import clip_picture, timeline_picture

_WORTH_A_NOTE_S = 0.05


def model_html(facts: Facts) -> str:
    """The model's test result, which is always visible."""
    return _render("model.html", facts=facts)


def about(facts: Facts, limits: Limits) -> str:
    """The model's training data, the limits of its predictions, and how recordings are handled."""
    return _render("about.html", facts=facts, limits=limits, caveat=CAVEAT)


def waiting() -> str:
    """Text shown before there is an answer."""
    return _render("waiting.html")


def problem(name: str, sentence: str) -> str:
    """Why there is no answer for the recording called ``name``."""
    return _render("problem.html", name=name, sentence=sentence)


def answer_html(answer: DemoAnswer, facts: Facts) -> str:
    """An answer with its pictures, which are embedded in the HTML."""
    heard = answer.heard
    return _render(
        "answer.html",
        answer=answer,
        facts=facts,
        heard=heard,
        picture=clip_picture(heard),
        timeline=timeline_picture(answer) if answer.windows else None,
        occlusion=None if answer.occlusion is None else _occlusion_picture(answer.occlusion),
        hidden_s=f"{WINDOW_S:g}",
        notes=_notes(answer),
        sound=_heard_wav(heard),
    )


def _occlusion_picture(found: Occlusion) -> Picture:
    return png_picture(occlusion_figure(found), describe(found))


def _notes(answer: DemoAnswer) -> list[str]:
    """Sentences about parts of the recording that were left out."""
    heard, notes = answer.heard, []
    before = heard.heard_from_s - heard.start_s
    behind = heard.start_s + heard.sound.duration_s - heard.heard_to_s - heard.unheard_s
    quiet = [
        f"{seconds:.2g} s {side}"
        for seconds, side in ((before, "before"), (behind, "after"))
        if seconds > _WORTH_A_NOTE_S
    ]
    if quiet:
        notes.append(f"Silence left out: {' and '.join(quiet)}.")
    if heard.unheard_s > _WORTH_A_NOTE_S:
        notes.append(f"Sound left out: {heard.unheard_s:.2g} s after.")
    return notes


def _heard_wav(heard: HeardClip) -> str:
    """The part that the model hears, as a data URI of a 16-bit WAV file, trimmed but not scaled."""
    part = heard.sound.part(heard.heard_from_s - heard.start_s, heard.heard_to_s - heard.start_s)
    content = io.BytesIO()
    soundfile.write(content, np.clip(part.samples, -1, 1), part.rate, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"


def _render(template: str, **values: Any) -> str:
    return escape_controls(_pages().get_template(template).render(values))


@cache
def _pages() -> Environment:
    """The templates with the filter that they use; complete before any thread of the server renders."""
    found = templates("training.web")
    found.filters["percent"] = lambda share: f"{100 * share:.0f}"
    return found
