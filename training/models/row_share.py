"""Set which rows of the global batch a model receives."""

from __future__ import annotations

from torch import nn

from training.models.dropout import Dropout, RowShare


def share_rows(model: nn.Module, total: int, rank: int, world: int) -> None:
    """Set the rows of every dropout layer of ``model`` to ``rank::world`` of ``total`` rows.

    If torch's generators have the same seed on all ranks, the ranks then drop exactly what one process would
    drop. Call it before a forward pass whenever the size of the global batch changes. Batch norm does not
    need it: it uses the process group.
    """
    for module in model.modules():
        if isinstance(module, Dropout):
            module.rows = RowShare(total, rank, world)
