"""What the page of a run and the page of a series have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.messages.counts import format_count
from schemas.recipe import Recipe
from schemas.recipe_toml import recipe_toml
from training.report.page.commands import ReproductionCommands, next_commands
from training.report.page.request_again import as_requested, differences
from training.report.wording import (
    capitalise,
    warning,
)
from training.runs.run import RunRecord
from training.splits.claim import Claim


def shared_values(
    *,
    subject: str,
    claim: Claim,
    created: str,
    record: RunRecord,
    recipe: Recipe,
    commands: ReproductionCommands,
    curves: bool,
    series: bool,
) -> dict[str, Any]:
    """Values for the templates of both pages: where a result is from, whatever the model predicts.

    ``record`` is that of the run, or of a series' first fold; ``commands`` reproduce the result; ``curves``
    says whether the page has training curves.
    """
    return {
        "subject": capitalise(subject),
        "title": claim.title,
        "created": created,
        "version": record.versions.get("ser-features", "unknown"),
        "warning": warning(claim),
        "recipe": recipe,
        "differences": differences(as_requested(recipe, record.store_spec)),
        "recipe_toml": recipe_toml(recipe),
        "commands": commands,
        "next_commands": next_commands(
            commands.store,
            curves=curves,
            series=series,
            views=bool(record.store_spec.views) and not claim.is_leaky and not record.dimensions,
        ),
        "provenance": _provenance(record, recipe),
    }


def _provenance(record: RunRecord, recipe: Recipe) -> list[tuple[str, str]]:
    """What a result was computed from, and how."""
    spec = record.store_spec
    return [
        ("started", record.created),
        ("store", record.store_digest),
        ("path of the store", record.store or "not recorded: it was an absolute path or a URL"),
        ("specification of the store", spec.digest),
        ("recordings", f"{spec.length / spec.audio.sample_rate:.3g} s at {spec.audio.sample_rate:,} Hz"),
        ("features", ", ".join(f"{name} ({spec.coefficients[name]})" for name in record.features)),
        ("views", _views(spec.view_names, recipe.train.views or (0,))),
        ("seed", str(record.seed)),
        ("computed on", f"{record.device}, {format_count(record.threads, 'CPU thread')}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
    ]


def _views(names: tuple[str, ...], trained: Iterable[int]) -> str:
    read = ", ".join(names[view] if view < len(names) else str(view) for view in trained)
    return f"{read}; {len(names)} in the store"
