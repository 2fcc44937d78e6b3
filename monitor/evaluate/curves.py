"""Precision over recall as a picture."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels
from monitor.evaluate.scoring import Scored

_SIDE: Final = 560
_EDGE: Final = 60  # about the axes
_COLOURS: Final = ((200, 90, 20), (40, 40, 210), (60, 150, 30), (160, 40, 160), (20, 140, 220))
_INK: Final = (40, 40, 40)
_PALE: Final = (225, 225, 225)


def curve(scored: Scored) -> NDArray[np.float64]:
    """(N, 2) recall and precision at each detection's score, the surest first."""
    hits = np.cumsum(scored.right)
    counts = np.arange(1, len(hits) + 1)
    return np.stack([hits / max(scored.boxes, 1), hits / counts], axis=1)


def draw_curves(curves: Mapping[str, Scored]) -> Pixels:
    """One line each, with its name and average precision; both axes from 0 to 1.

    Args:
        curves: By name, such as the kind or the detector; at most five are told apart.

    Returns:
        (560, 560, 3) blue-green-red.
    """
    sheet = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    for tick in np.arange(0, 1.01, 0.2):
        low, high = _at(float(tick), 0.0), _at(float(tick), 1.0)
        cv2.line(sheet, low, high, _PALE, 1)
        cv2.line(sheet, _at(0.0, float(tick)), _at(1.0, float(tick)), _PALE, 1)
        _write(sheet, f"{tick:.1f}", (low[0] - 12, low[1] + 20), _INK)
        _write(sheet, f"{tick:.1f}", (_EDGE - 40, _at(0.0, float(tick))[1] + 5), _INK)
    _write(sheet, "recall", (_SIDE // 2 - 20, _SIDE - 15), _INK)
    _write(sheet, "precision", (10, _EDGE - 20), _INK)
    for number, (name, scored) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [_at(float(r), float(p)) for r, p in curve(scored)]
        if len(points) > 1:
            line = [np.array(points, np.int32)]
            cv2.polylines(sheet, line, isClosed=False, color=colour, thickness=2)
        _write(sheet, name, (_EDGE + 12, _SIDE - _EDGE - 14 - 20 * number), colour)
    return sheet


def _at(recall: float, precision: float) -> tuple[int, int]:
    """The pixel of a point."""
    span = _SIDE - 2 * _EDGE
    return round(_EDGE + recall * span), round(_SIDE - _EDGE - precision * span)


def _write(sheet: Pixels, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
