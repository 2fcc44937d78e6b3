"""Pictures of people, some of them blue: covered, as BlueJudge sees it."""

import numpy as np

from monitor.domain import Pixels
from monitor.geometry import Box
from tests.support.fakes import head, person, textured

MASKED, FREE = Box(60, 40, 180, 340), Box(400, 40, 520, 340)
HIDDEN_HEAD, FREE_HEAD = Box(95, 44, 145, 108), Box(435, 44, 485, 108)
BOTH = [person(MASKED), head(HIDDEN_HEAD), person(FREE), head(FREE_HEAD)]
BLUE = (1.0, 0.3, 0.3)
LEFT = Box(40, 40, 100, 110)
RIGHT = Box(200, 40, 260, 110)


def draw_scene() -> Pixels:
    """Everything left of the middle is blue, which is a balaclava to our judge."""
    pixels = textured(640, 360)
    pixels[:, :320] = textured(320, 360, tint=(1, 0.5, 0.3))
    return pixels


def draw_blue_boxes(*blue: Box) -> Pixels:
    """A textured picture of 320 by 240 in which some boxes are blue."""
    pixels = textured(320, 240)
    for box in blue:
        left, top, right, bottom = (round(edge) for edge in _wider(box))
        patch = pixels[top:bottom, left:right]
        pixels[top:bottom, left:right] = (patch * np.array(BLUE)).astype(np.uint8)
    return pixels


def _wider(box: Box) -> tuple[float, float, float, float]:
    return box.left - 25, box.top - 25, box.right + 25, box.bottom + 25
