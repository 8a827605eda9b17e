"""Optuna, imported when a search needs it: it takes a second, and is in the extra ``tune``."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from types import ModuleType

from schemas.errors import UsageError


def require_optuna() -> None:
    """Raise :class:`UsageError` if Optuna is not installed."""
    if find_spec("optuna") is None:
        raise UsageError(
            "--search needs the package optuna; install the extra tune: pip install 'ser-features[tune]'"
        )


def load_optuna() -> ModuleType:
    """The module ``optuna``, silent. Raises as :func:`require_optuna` does."""
    require_optuna()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna
