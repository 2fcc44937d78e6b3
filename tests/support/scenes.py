"""Pictures of people, some of them blue: covered, as BlueJudge sees it."""

import numpy as np

from monitor.domain import Pixels
from monitor.geometry import Box
from tests.support.fakes import (
    face,
    person,
    textured,
)

MASKED, FREE = Box(60, 40, 180, 340), Box(400, 40, 520, 340)
HIDDEN_FACE, FREE_FACE = Box(100, 55, 140, 105), Box(440, 55, 480, 105)
BOTH = [person(MASKED), face(HIDDEN_FACE), person(FREE), face(FREE_FACE)]
BLUE = (1.0, 0.3, 0.3)
LEFT = Box(40, 40, 100, 110)
RIGHT = Box(200, 40, 260, 110)


def scene() -> Pixels:
    """Everything left of the middle is blue, which is a balaclava to our judge."""
    pixels = textured(640, 360)
    pixels[:, :320] = textured(320, 360, tint=(1, 0.5, 0.3))
    return pixels


def blue_boxes(*blue: Box) -> Pixels:
    """A textured picture of 320 by 240 in which some boxes are blue."""
    pixels = textured(320, 240)
    for box in blue:
        left, top, right, bottom = (round(edge) for edge in _wider(box))
        patch = pixels[top:bottom, left:right]
        pixels[top:bottom, left:right] = (patch * np.array(BLUE)).astype(np.uint8)
    return pixels


def _wider(box: Box) -> tuple[float, float, float, float]:
    return box.left - 25, box.top - 25, box.right + 25, box.bottom + 25
