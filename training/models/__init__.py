"""Networks: features to logits.

One family a file, with its parts beside it; built by name by :func:`build_model`.
"""

from training.models.cnn import Cnn
from training.models.cnn_bilstm import CnnBiLstm
from training.models.dropout import RowShare
from training.models.mlp import Mlp
from training.models.registry import build_model
from training.models.row_share import share_rows

__all__ = ["Cnn", "CnnBiLstm", "Mlp", "RowShare", "build_model", "share_rows"]
