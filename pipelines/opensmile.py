"""Computes functionals of openSMILE with the package ``opensmile``, on the processor."""

from __future__ import annotations

import warnings
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from pipelines.batch import ViewBatch
from schemas.errors import UsageError
from schemas.opensmile import FEATURE_SETS, LICENCE, OpenSmileSpec

if TYPE_CHECKING:
    from opensmile import Smile

LARGEST = 1 - 2**-15
"""Largest sample. openSMILE reads 16 bits, and the package lets larger samples wrap around."""

SHORTEST_S = 0.1
"""Shorter waveforms are padded with silence: openSMILE gives no values for less than its longest window."""


class OpenSmileExtractor:
    """Computes one feature for waveforms of ``sample_rate`` Hz.

    Raises :class:`UsageError` if the package is missing, or is not the version of ``feature``.
    """

    def __init__(self, feature: OpenSmileSpec, sample_rate: int) -> None:
        self.name = feature.name
        self._rate = sample_rate
        found = complete(feature)
        if found != feature:
            raise UsageError(
                f"the store's {feature.name} was computed by opensmile {feature.version}, but "
                f"{found.version} is installed; pip install opensmile=={feature.version}"
            )
        self._smile = _open(feature.name)

    def __call__(self, view: ViewBatch) -> torch.Tensor:
        """The feature of each clip, (clip, 1, value) float32 on the device of ``view``; 0 for no clip.

        Samples are clipped to 16 bits, and waveforms below :data:`SHORTEST_S` padded with silence.
        """
        waveforms = view.waveforms.cpu().numpy()
        rows = [self._compute(waveform[:end]) for waveform, end in zip(waveforms, view.lengths, strict=True)]
        return torch.from_numpy(np.stack(rows)[:, None]).to(view.waveforms.device)

    def _compute(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not len(waveform):
            return np.zeros(self._smile.num_features, np.float32)
        silence = max(0, round(SHORTEST_S * self._rate) - len(waveform))
        padded = np.pad(np.clip(waveform, -1.0, LARGEST), (0, silence))
        return np.asarray(self._smile(padded, self._rate), dtype=np.float32).reshape(-1)


def complete(feature: OpenSmileSpec) -> OpenSmileSpec:
    """The feature with version and columns of the installed package.

    Raises :class:`UsageError` if the package is missing.
    """
    columns = tuple(_open(feature.name).feature_names)
    return OpenSmileSpec(name=feature.name, version=metadata.version("opensmile"), columns=columns)


def _open(name: str) -> Smile:
    if find_spec("opensmile") is None:
        raise UsageError(
            f"{name} is computed by openSMILE, which is not installed; pip install 'ser-features[opensmile]' "
            f"({LICENCE})"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import opensmile

        return opensmile.Smile(
            feature_set=opensmile.FeatureSet[FEATURE_SETS[name]],
            feature_level=opensmile.FeatureLevel.Functionals,
        )
