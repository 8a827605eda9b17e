"""Build the network of a recipe's model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from schemas.architecture import (
    CnnBiLstmSpec,
    CnnSpec,
    ConformerSpec,
    FrameHeadSpec,
    LayerMlpSpec,
    LinearSpec,
    MlpSpec,
    ModelSpec,
    TransformerSpec,
)
from schemas.errors import SpecError
from training.models.cnn import Cnn
from training.models.cnn_bilstm import CnnBiLstm
from training.models.conformer import Conformer
from training.models.frame_head import FrameHead
from training.models.layer_mlp import LayerMlp
from training.models.mlp import Mlp
from training.models.state_layout import StateLayout
from training.models.transformer import Transformer


def build_model(
    spec: ModelSpec, coefficients: int, frames: int, classes: int, states: Sequence[StateLayout] = ()
) -> nn.Module:
    """Untrained network for inputs (B, 1, coefficients, frames), initialised from torch's generator.

    ``states`` : what the coefficients are, if all are hidden states of encoders. Its ``forward`` takes ``x``
    (B, 1, C, T) float32 and ``valid_frames`` (B,) int64, and returns logits (B, classes).

    Raises :class:`SpecError` if the features are too small, if the model weighs layers and the features have
    none, or if the model is not a network.
    """
    match spec:
        case CnnBiLstmSpec():
            return CnnBiLstm(
                coefficients,
                frames,
                classes,
                spec.dropout,
                channels=spec.channels,
                pools=spec.pools,
                block=spec.block,
                block_dropout=spec.block_dropout,
                hidden=spec.hidden,
                layers=spec.layers,
                sequence_dropout=spec.sequence_dropout,
                pooling=spec.pooling,
                dense=spec.dense,
            )
        case CnnSpec():
            return Cnn(
                coefficients,
                frames,
                classes,
                spec.dropout,
                channels=spec.channels,
                pools=spec.pools,
                block=spec.block,
                block_dropout=spec.block_dropout,
                dense=spec.dense,
            )
        case TransformerSpec():
            return Transformer(spec, coefficients, frames, classes)
        case ConformerSpec():
            return Conformer(spec, coefficients, frames, classes)
        case MlpSpec():
            return Mlp(
                coefficients,
                frames,
                classes,
                hidden=spec.hidden,
                input_dropout=spec.input_dropout,
                dropout=spec.dropout,
            )
        case LayerMlpSpec():
            _require_states(spec, states, coefficients)
            return LayerMlp(
                states,
                classes,
                hidden=spec.hidden,
                input_dropout=spec.input_dropout,
                dropout=spec.dropout,
            )
        case FrameHeadSpec():
            _require_states(spec, states, coefficients)
            (only,) = states
            return FrameHead(
                only,
                classes,
                width=spec.width,
                input_dropout=spec.input_dropout,
                blocks=spec.blocks,
                heads=spec.heads,
                inner=spec.inner,
                block_dropout=spec.block_dropout,
                pooling=spec.pooling,
                pooling_heads=spec.pooling_heads,
                dense=spec.dense,
                dropout=spec.dropout,
            )
        case LinearSpec():
            raise SpecError(
                f"model '{spec.name}' is a linear classifier, not a network; fit it with "
                "training.linear.classifier"
            )


def _require_states(
    spec: LayerMlpSpec | FrameHeadSpec, states: Sequence[StateLayout], coefficients: int
) -> None:
    """Raise :class:`SpecError` unless the coefficients are hidden states, of one feature for frames."""
    rows = sum(layout.rows for layout in states)
    if not states or rows != coefficients or (isinstance(spec, FrameHeadSpec) and len(states) != 1):
        raise SpecError(
            f"model '{spec.name}' weighs the layers of encoders, but {rows} of {coefficients} coefficients "
            f"are hidden states, of {len(states)} features; give it features of encoders and no others, and "
            "a frame_head only one"
        )
