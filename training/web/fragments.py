"""HTML of what the page says. Every value is escaped: names of files come from whoever sends them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import soundfile

from featurestore.page.render import templates
from training.web.answer import DemoAnswer
from training.web.facts import NOT, Facts
from training.web.hearing import HeardClip
from training.web.limits import Limits
from training.web.pictures import clip_picture, timeline_picture

_WORTH_A_NOTE_S = 0.05


def model_html(facts: Facts) -> str:
    """The model's worth, in sight at all times."""
    return _render("model.html", facts=facts)


def about(facts: Facts, limits: Limits) -> str:
    """What the model learnt from, what its answers are not, and what becomes of recordings."""
    return _render("about.html", facts=facts, limits=limits, not_=NOT)


def waiting() -> str:
    """What stands in place of the answer before there is one."""
    return _render("waiting.html")


def problem(name: str, sentence: str) -> str:
    """That a recording called ``name`` has no answer, and why."""
    return _render("problem.html", name=name, sentence=sentence)


def answer_html(answer: DemoAnswer, facts: Facts) -> str:
    """An answer with its pictures, which lie in the HTML itself."""
    heard = answer.heard
    return _render(
        "answer.html",
        answer=answer,
        facts=facts,
        heard=heard,
        picture=clip_picture(heard),
        timeline=timeline_picture(answer) if answer.windows else None,
        notes=_notes(answer),
        sound=_heard_wav(heard),
    )


def _notes(answer: DemoAnswer) -> list[str]:
    """What was left out, in sentences."""
    heard, notes = answer.heard, []
    before = heard.heard_from_s - heard.start_s
    behind = heard.start_s + heard.sound.duration_s - heard.heard_to_s - heard.unheard_s
    quiet = [
        f"{seconds:.2g} s {place}"
        for seconds, place in ((before, "before it"), (behind, "behind it"))
        if seconds > _WORTH_A_NOTE_S
    ]
    if quiet:
        notes.append(f"Silence was left out: {' and '.join(quiet)}.")
    if heard.unheard_s > _WORTH_A_NOTE_S:
        notes.append(f"{heard.unheard_s:.2g} s of sound behind it were left out.")
    return notes


def _heard_wav(heard: HeardClip) -> str:
    """What the model hears, as a sound in the page: 16 bits, cut but not scaled."""
    part = heard.sound.part(heard.heard_from_s - heard.start_s, heard.heard_to_s - heard.start_s)
    content = io.BytesIO()
    soundfile.write(content, np.clip(part.samples, -1, 1), part.rate, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"


def _render(template: str, **values: Any) -> str:
    found = templates("training.web")
    found.filters["percent"] = lambda share: f"{100 * share:.0f}"
    return found.get_template(template).render(values)
