"""Frames of any sizes on one sheet for one forward pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.domain import Frame, Pixels

_PADDING = 114  # the grey that YOLO models are trained with
_STRIDE = 32  # the coarsest grid of the models: sides must be multiples of it


@dataclass(frozen=True, slots=True, eq=False)
class LetterboxedBatch:
    """A batch of pictures, each in the top left corner of its own grey sheet."""

    pixels: Pixels = field(repr=False)  # (B, height, width, 3), blue-green-red
    scales: tuple[tuple[float, float], ...]
    """For each picture, sheet pixels per frame pixel, across and down."""


def letterbox(
    frames: Sequence[Frame], longer_px: int, *, fixed: tuple[int, int] | None = None
) -> LetterboxedBatch:
    """Scale each frame as a whole and lay it on grey.

    Args:
        frames: At least one, of any sizes.
        longer_px: The longer side of each picture, before padding.
        fixed: Width and height of the sheet where the engine takes no other; each picture is
            then as large as it allows.
    """
    sizes = [_fitted(frame, longer_px, fixed) for frame in frames]
    width, height = fixed or (
        _padded(max(width for width, _ in sizes)),
        _padded(max(height for _, height in sizes)),
    )
    pixels = np.full((len(frames), height, width, 3), _PADDING, np.uint8)
    for sheet, frame, (across, down) in zip(pixels, frames, sizes, strict=True):
        sheet[:down, :across] = frame.resize(across, down)
    scales = tuple(
        (across / frame.width, down / frame.height)
        for frame, (across, down) in zip(frames, sizes, strict=True)
    )
    return LetterboxedBatch(pixels, scales)


def sheet_size(frame: Frame, longer_px: int) -> tuple[int, int]:
    """Width and height of the least sheet that a frame fits on, its longer side scaled so."""
    width, height = _fitted(frame, longer_px, None)
    return _padded(width), _padded(height)


def _fitted(frame: Frame, longer_px: int, fixed: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height that the frame is scaled to; at least 1 by 1."""
    if fixed is None:
        scale = longer_px / max(frame.width, frame.height)
    else:
        scale = min(fixed[0] / frame.width, fixed[1] / frame.height)
    return max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)


def _padded(side: int) -> int:
    """The next multiple of the stride."""
    return -(-side // _STRIDE) * _STRIDE
