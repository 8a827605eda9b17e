"""Models on Hugging Face: files and SHA-256 checksums from its API (https://huggingface.co/docs/hub/api)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from data.download.errors import DownloadError
from data.download.safe_name import safe_path
from data.download.source import Address, Listing, RemoteFile
from data.download.web import Web

ENDPOINT_VARIABLE = "HF_ENDPOINT"
"""Address of a mirror, as for Hugging Face's own tools."""

_MOST_LISTING, _MOST_TEXT = 4 * 2**20, 2**24
_TEXTS = ("config.json", "preprocessor_config.json")
_WEIGHTS = (
    ("model.safetensors",),
    ("model.safetensors.index.json", "model-"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-"),
)
"""In order of preference; the second name begins those of shards."""


class _Lfs(BaseModel):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class _HubFile(BaseModel):
    rfilename: str
    size: int | None = Field(None, ge=0)
    blobId: str | None = Field(None, pattern="^[0-9a-f]{40}$")  # noqa: N815 # the API's spelling
    lfs: _Lfs | None = None


class _HubModel(BaseModel):
    sha: str = Field(pattern="^[0-9a-f]{40}$")
    siblings: list[_HubFile]


@dataclass(frozen=True)
class Hub:
    """The weights of a model, in the newest revision, with the descriptions that reading them needs."""

    hub_id: str
    base: str | None = None
    """Address of the hub; None: ``$HF_ENDPOINT``, or Hugging Face."""
    at_once: int = 1

    @property
    def address(self) -> str:
        """Address of the hub, without a final slash."""
        return (self.base or os.environ.get(ENDPOINT_VARIABLE) or "https://huggingface.co").rstrip("/")

    def listing(self, web: Web, scratch: Path) -> Listing:
        """List the files: :meth:`data.download.source.Publisher.listing`."""
        del scratch
        url = f"{self.address}/api/models/{self.hub_id}?blobs=true"
        try:
            model = _HubModel.model_validate(web.read_json(url, _MOST_LISTING))
        except ValidationError as error:
            raise DownloadError(f"{url} did not return a model in a known format; try again later") from error
        by_name = {file.rfilename: file for file in model.siblings}
        large = self._weights(by_name, url)
        texts = [name for name in (*_TEXTS, *(n for n in large if n.endswith(".json"))) if name in by_name]
        inline = {name: self._text(web, model.sha, by_name[name]) for name in texts}
        files = tuple(
            RemoteFile(safe_path(name), file.lfs.size, f"sha256:{file.lfs.sha256}", f"{model.sha}/{name}")
            for name, file in by_name.items()
            if name in large and file.lfs is not None
        )
        return Listing(files, inline)

    def addresses(self, files: Sequence[RemoteFile], web: Web) -> tuple[Address, ...]:
        """Addresses of ``files``: :meth:`data.download.source.Publisher.addresses`."""
        del web
        return tuple(Address(self._url(*file.key.split("/", 1))) for file in files)

    def _weights(self, by_name: dict[str, _HubFile], url: str) -> set[str]:
        for first, *shards in _WEIGHTS:
            if first in by_name:
                suffix = Path(first.removesuffix(".index.json")).suffix
                parts = {n for n in by_name if shards and n.startswith(shards[0]) and n.endswith(suffix)}
                return {first, *parts}
        raise DownloadError(
            f"{url} lists neither model.safetensors nor pytorch_model.bin; choose another model"
        )

    def _text(self, web: Web, revision: str, file: _HubFile) -> bytes:
        """A small file, compared with git's hash of it."""
        url = self._url(revision, file.rfilename)
        data = web.read_bytes(url, _MOST_TEXT)
        found = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        if file.blobId is not None and found != file.blobId:
            raise DownloadError(f"{url} is not the file that its publisher lists; try again later")
        return data

    def _url(self, revision: str, name: str) -> str:
        return f"{self.address}/{self.hub_id}/resolve/{revision}/{quote(name)}"
