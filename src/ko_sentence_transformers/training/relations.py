"""A loss of its own: the cosines between the texts of a batch are to be those of the teacher.

Imported only when a run starts, as the trainer is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

# Squared differences of cosines are small numbers: this factor gives the loss its weight beside others in a stage.
_SCALE = 100.0


class RelationsLoss(nn.Module):
    """Mean squared difference between the cosines of all pairs of texts in a batch, the student's and the teacher's.

    The student may have any width and any directions: only how near texts are to each other is learned.

    ``labels`` are the teacher's vectors, ``(texts, width)`` or ``(texts, columns, width)``, centred.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """Return the loss of one batch."""
        columns = [self.model(features)["sentence_embedding"] for features in sentence_features]
        student = normalize(torch.cat(columns), dim=1)
        taught = labels if labels.dim() == 3 else labels[:, None]
        teacher = normalize(taught.transpose(0, 1).flatten(0, 1), dim=1)
        difference = student @ student.T - teacher @ teacher.T
        count = len(student)
        # The diagonal is zero in both.
        return _SCALE * difference.square().sum() / max(1, count * (count - 1))

    def get_config_dict(self) -> dict[str, Any]:
        """Return what the host notes down."""
        return {}
