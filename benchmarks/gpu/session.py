"""What a step of a session knows, and how it tells its figures.

Imports nothing that only the session's first step installs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]

_RECORDINGS = 60

Tell = Callable[[str, object], None]
"""Name and value of a figure, which JSON can hold; written at once, so that it survives a step that fails."""


@dataclass(frozen=True)
class Session:
    """A session on ``device``; ``miniature`` : so small that a CPU needs seconds."""

    device: Literal["cpu", "cuda"]
    scratch: Path
    miniature: bool = False
    recordings: Path | None = None
    """Corpora root with real speech; None: the demo voices."""
    wheels: Path | None = None

    def size(self, whole: int, miniature: int) -> int:
        """A number of clips, batches or repetitions."""
        return miniature if self.miniature else whole

    def corpora(self, clips: int) -> tuple[Path, list[Path]]:
        """Corpora root and recordings of a corpus ``bench``: 60 recordings, linked until there are enough."""
        from corpus import corpora_of

        root = self.scratch / f"corpora-{clips}"
        if root.is_dir():
            return root, sorted(root.rglob("*.wav"))
        if clips > _RECORDINGS:
            few, _ = self.corpora(_RECORDINGS)
            return corpora_of(few, f"bench={few / 'bench'}", clips, self.scratch)
        source, datasets = (self.recordings, "all") if self.recordings else (self._voices(), "demo")
        return corpora_of(source, datasets, clips, self.scratch)

    def store(self) -> Path:
        """A store of demo voices of all speakers, with the features and views of ``four-corpora-a``."""
        from featurestore.build import BuildRequest, build
        from featurestore.plan.spec import SpecRequest

        out = self.scratch / "voices.zarr"
        if not out.exists():
            spec = SpecRequest(augment=self.size(6, 1), features="all")
            build(BuildRequest(out, self._voices(), "demo", spec, device="cpu"))
        return out

    def _voices(self) -> Path:
        """Corpora root with the demo voices; in miniature, only the first sentence of six."""
        root = self.scratch / "voices"
        if not root.is_dir():
            from data.demo import write_demo

            write_demo(root)
            if self.miniature:
                for file in (root / "demo").rglob("*.wav"):
                    if not re.fullmatch(r"[fm]0[1-3]_s1_[a-z]+_1", file.stem):
                        file.unlink()
        return root
