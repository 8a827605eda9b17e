"""The network of Whisper's encoder (Radford et al. 2022), in torch alone.

::

    log-mel (B, n_mels, 2 T) ─▶ conv1 ▶ conv2, stride 2 ─▶ + positions ─▶ block ─▶ block ─▶ … ─▶ layer norm
                                                           state 0     state 1   state 2       last state

``transformers`` has the same network, but importing it takes seconds in each process. The tensors have its
names, and tests compare the states of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from schemas.encoders import Activation, WhisperArchitecture

_ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
}


class WhisperNetwork(nn.Module):
    """The first ``blocks`` blocks; the final layer norm only if these are all."""

    def __init__(self, architecture: WhisperArchitecture, blocks: int) -> None:
        super().__init__()
        width = architecture.width
        self.conv1 = nn.Conv1d(architecture.n_mels, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.embed_positions = _Positions(architecture.positions, width)
        self.layers = nn.ModuleList(_Block(architecture) for _ in range(blocks))
        whole = blocks == architecture.blocks
        self.layer_norm: nn.Module = nn.LayerNorm(width) if whole else nn.Identity()

    def forward(
        self, mel: torch.Tensor, states: Sequence[int], real: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Hidden states (B, state, T, width) of log-mel (B, n_mels, 2 · T); ``states`` are ascending.

        ``real`` : (B, T) bool, frames before the end of each clip, of which others hear nothing; None if all
        are. ``mel`` is zero behind the end, as the first convolution pads it. The second one, of stride 2,
        sees nothing behind the end: frame t sees 2 t - 1 to 2 t + 1.
        """
        keys = None if real is None else real[:, None, None]
        hidden = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        hidden = hidden + self.embed_positions.weight[: hidden.shape[1]]
        out = [hidden] if 0 in states else []
        for number, block in enumerate(self.layers, 1):
            hidden = block(hidden, keys)
            if number == len(self.layers):
                hidden = self.layer_norm(hidden)
            if number in states:
                out.append(hidden)
        return torch.stack(out, dim=1)


class _Positions(nn.Module):
    """A vector per position. Unlike ``nn.Embedding``, it draws no random numbers; on ``meta`` they take 1 s.

    ``weight`` : (positions, width).
    """

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(positions, width))


class _Block(nn.Module):
    """Attention and feed-forward, each after a layer norm and added to its input."""

    def __init__(self, architecture: WhisperArchitecture) -> None:
        super().__init__()
        self.self_attn_layer_norm = nn.LayerNorm(architecture.width)
        self.self_attn = _Attention(architecture.width, architecture.heads)
        self.final_layer_norm = nn.LayerNorm(architecture.width)
        self.fc1 = nn.Linear(architecture.width, architecture.inner_width)
        self.fc2 = nn.Linear(architecture.inner_width, architecture.width)
        self._activate = _ACTIVATIONS[architecture.activation]

    def forward(self, hidden: torch.Tensor, keys: torch.Tensor | None) -> torch.Tensor:
        """(B, T, width) → (B, T, width)."""
        hidden = hidden + self.self_attn(self.self_attn_layer_norm(hidden), keys)
        out: torch.Tensor = hidden + self.fc2(self._activate(self.fc1(self.final_layer_norm(hidden))))
        return out


class _Attention(nn.Module):
    """Every frame attends to all that are real; keys have no bias, which softmax would cancel."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, hidden: torch.Tensor, keys: torch.Tensor | None) -> torch.Tensor:
        """(B, T, width) → (B, T, width). ``keys`` : (B, 1, 1, T) bool, what may be attended to; None: all."""
        scale = (hidden.shape[2] // self._heads) ** -0.5  # of the queries, as in Whisper's own code
        heard = F.scaled_dot_product_attention(
            self._split(self.q_proj(hidden) * scale),
            self._split(self.k_proj(hidden)),
            self._split(self.v_proj(hidden)),
            attn_mask=keys,
            scale=1.0,
        )
        out: torch.Tensor = self.out_proj(heard.transpose(1, 2).flatten(2))
        return out

    def _split(self, values: torch.Tensor) -> torch.Tensor:
        """(B, T, width) → (B, head, T, width / heads)."""
        return values.view(*values.shape[:2], self._heads, -1).transpose(1, 2)
