"""The files of the live page. They contain everything that it needs: nothing is loaded from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from featurestore.page.render import templates
from schemas.messages.printable import escape_controls
from training.predict.ensemble import Ensemble
from training.web.colours import COLOURS
from training.web.facts import CAVEAT, Facts
from training.web.limits import Limits
from training.web.live import messages

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content security policy: only this server's scripts run, and only this server is contacted."""


@dataclass(frozen=True)
class WebFile:
    """A file of the page and its media type."""

    content: bytes
    kind: str


def live_files(model: Ensemble, facts: Facts, limits: Limits) -> dict[str, WebFile]:
    """Files of the page by path. Paths in them are relative, so that a proxy may add a prefix."""
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(model.emotions))]
    page = templates("training.web.live", "training.web").get_template("live.html")
    html = page.render(
        facts=facts,
        caveat=CAVEAT,
        limits=limits,
        emotions=list(zip(model.emotions, colours, strict=True)),
        shortest_s=max(predictor.spec.audio.min_duration_s for predictor in model.predictors),
        longest_s=model.window_s,
        ranges=messages,
    )
    return {
        "/": WebFile((escape_controls(html) + "\n").encode(), "text/html; charset=utf-8"),
        "/live.css": _file("live.css", "text/css; charset=utf-8"),
        "/live.js": _file("live.js", "text/javascript; charset=utf-8"),
        "/timeline.js": _file("timeline.js", "text/javascript; charset=utf-8"),
        "/microphone.js": _file("microphone.js", "text/javascript; charset=utf-8"),
    }


def _file(name: str, kind: str) -> WebFile:
    return WebFile(resources.files("training.web.live").joinpath("templates", name).read_bytes(), kind)
