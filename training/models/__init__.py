"""Networks from features to logits.

One family per file, next to its parts; :func:`build_model` builds them from a recipe's model.
"""

from training.models.cnn import Cnn
from training.models.cnn_bilstm import CnnBiLstm
from training.models.conformer import Conformer
from training.models.dropout import RowShare
from training.models.frame_head import FrameHead
from training.models.layer_mlp import LayerMlp
from training.models.mlp import Mlp
from training.models.registry import build_model
from training.models.row_share import share_rows
from training.models.state_layout import StateLayout
from training.models.transformer import Transformer

__all__ = [
    "Cnn",
    "CnnBiLstm",
    "Conformer",
    "FrameHead",
    "LayerMlp",
    "Mlp",
    "RowShare",
    "StateLayout",
    "Transformer",
    "build_model",
    "share_rows",
]
