"""JPEG for judges on other machines, and two drawn heads to try a judge."""

import base64
from typing import Final

import cv2
import numpy as np

from monitor.domain import CameraId, HeadCrop, Moment, Pixels, SubjectId
from monitor.errors import JudgeAnswerError
from monitor.runtime.clock import Clock

_QUALITY: Final = 90  # of JPEG, percent
_SIDE: Final = 128  # of the pictures drawn here, in pixels
_WALL: Final = (96, 112, 104)
_SKIN: Final = (150, 180, 224)
_WOOL: Final = (34, 30, 28)
_DARK: Final = (40, 40, 60)


def encode_jpeg(pixels: Pixels, side: int) -> str:
    """A picture as base64 of a JPEG.

    Args:
        pixels: (H, W, 3), blue-green-red.
        side: The longer side is scaled down to this many pixels; never up.

    Raises:
        JudgeAnswerError: It cannot be encoded.
    """
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not encoded:
        raise JudgeAnswerError("a crop could not be encoded")
    return base64.b64encode(data.tobytes()).decode("ascii")


def draw_trial_crops(clock: Clock) -> list[HeadCrop]:
    """A bare head and one in a balaclava, drawn: a judge that sees tells them apart somehow."""
    moment = Moment(clock.seconds(), clock.now())
    return [
        HeadCrop(CameraId("warm-up"), SubjectId(number), moment, pixels, float(_SIDE))
        for number, pixels in enumerate((_draw_head(covered=False), _draw_head(covered=True)))
    ]


def _draw_head(*, covered: bool) -> Pixels:
    """A drawn head with shoulders, (128, 128, 3) blue-green-red, with some grain."""
    canvas = np.full((_SIDE, _SIDE, 3), _WALL, np.uint8)
    cv2.ellipse(canvas, (64, 136), (52, 34), 0, 0, 360, (70, 50, 40), -1)
    cv2.ellipse(canvas, (64, 62), (32, 42), 0, 0, 360, _WOOL if covered else _SKIN, -1)
    if covered:
        cv2.rectangle(canvas, (42, 46), (86, 60), _SKIN, -1)
    else:
        cv2.ellipse(canvas, (64, 34), (32, 20), 0, 180, 360, (30, 50, 70), -1)  # hair
        cv2.ellipse(canvas, (64, 84), (12, 4), 0, 0, 360, (90, 90, 180), -1)  # mouth
        cv2.line(canvas, (64, 56), (61, 72), (120, 150, 196), 2)  # nose
    for x in (52, 76):
        cv2.ellipse(canvas, (x, 53), (6, 3), 0, 0, 360, (250, 250, 250), -1)
        cv2.circle(canvas, (x, 53), 2, _DARK, -1)
    grain = np.random.default_rng(0).normal(0, 4, canvas.shape)
    return np.clip(canvas + grain, 0, 255).astype(np.uint8)
