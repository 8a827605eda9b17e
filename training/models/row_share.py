"""Telling a model which rows of the global batch it sees."""

from __future__ import annotations

from torch import nn

from training.models.dropout import Dropout, RowShare


def share_rows(model: nn.Module, total: int, rank: int, world: int) -> None:
    """Tell every dropout of ``model`` that its rows are ``rank::world`` of a global batch of ``total``.

    With torch's generators seeded equally on all ranks, they then drop exactly what one process drops. To be
    called before a forward pass whose global batch has another size than the one before. Batch norm needs no
    telling: it asks the process group.
    """
    for module in model.modules():
        if isinstance(module, Dropout):
            module.rows = RowShare(total, rank, world)
