"""Libraries that report on their users, told not to."""

from __future__ import annotations

import os

OPT_OUTS = {
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
}
"""Environment variable → value.

Since version 1.29, onnxruntime writes a device id and events under ``~/.cache/Microsoft`` and looks up a
telemetry host, unless its variable is set before it is imported.
"""


def disable_telemetry() -> None:
    """Tell libraries that this process imports from now on, and its children, to report nothing."""
    os.environ.update(OPT_OUTS)
