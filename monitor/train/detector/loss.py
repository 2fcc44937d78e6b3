"""ultralytics' detection loss that looks away where the labels are in doubt."""

from collections.abc import Sequence
from typing import Any

import torch

_STRIDES = (8, 16, 32)


class Spared:
    """Binary cross entropy per anchor and class that leaves some pairs out.

    Takes the place of ``criterion.bce``. A pair that is asked for (its target is above 0) is
    never left out.
    """

    def __init__(self) -> None:
        self.spared: torch.Tensor | None = None
        """(B, A, C) True where nothing shall be learnt; None learns everywhere."""

    def __call__(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(B, A, C) logits and targets to (B, A, C) losses."""
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, targets, reduction="none"
        )
        if self.spared is None:
            return losses
        return losses.masked_fill(self.spared & (targets <= 0), 0.0)


def spare(criterion: Any) -> Spared:  # noqa: ANN401  (ultralytics has no types)
    """Let a criterion of ultralytics spare anchors; the result says which."""
    bce = Spared()
    criterion.bce = bce
    return bce


def spared_anchors(
    doubtful: Sequence[tuple[int, int, Sequence[float]]], *, pictures: int, side: int, classes: int
) -> torch.Tensor:
    """Which anchors lie in doubtful boxes of their picture.

    Args:
        doubtful: Picture's number, class, and left, top, right, bottom in pixels.
        pictures: B, how many are in the batch.
        side: Of the square pictures, in pixels; a multiple of 32.
        classes: C.

    Returns:
        (B, A, C), the anchors row by row, stride 8 before 16 before 32.
    """
    counts = [side // stride for stride in _STRIDES]
    mask = torch.zeros(pictures, sum(n * n for n in counts), classes, dtype=torch.bool)
    begin = 0
    for stride, count in zip(_STRIDES, counts, strict=True):
        view = mask[:, begin : begin + count * count].view(pictures, count, count, classes)
        for number, kind, (left, top, right, bottom) in doubtful:
            # an anchor's middle is half a stride inside its cell
            x0, y0 = (max(round(edge / stride), 0) for edge in (left, top))
            x1, y1 = (max(round(edge / stride), 0) for edge in (right, bottom))
            view[number, y0:y1, x0:x1, kind] = True
        begin += count * count
    return mask
