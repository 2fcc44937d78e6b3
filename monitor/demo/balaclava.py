"""The balaclava of the demo: knitted, with one slot for the eyes, drawn onto a head.

Shapes are in the face units of ``monitor.demo.drawing``, measured on the head that
wears it in the demo; on another frontal head it sits a little off.
"""

from typing import Final

import cv2
import numpy as np

from monitor.demo.drawing import (
    Floats,
    LandmarkedFace,
    blend_layer,
    blur,
    darken,
    draw_line,
    fill_polygon,
    make_clouds,
    round_corners,
    to_pixels,
)
from monitor.domain import Pixels

_Line = tuple[tuple[float, float], ...]

_OUTLINE: Final[_Line] = (
    (-0.42, -2.07), (0.0, -2.04), (0.44, -1.88), (0.78, -1.61), (1.08, -1.26), (1.23, -0.81),
    (1.19, -0.35), (1.05, 0.12), (1.01, 0.6), (0.93, 1.04), (0.77, 1.45), (0.64, 1.78),
    (0.57, 2.05), (0.45, 2.28), (0.23, 2.41), (-0.04, 2.39), (-0.4, 2.29), (-0.77, 2.15),
    (-1.08, 1.92), (-1.34, 1.62), (-1.52, 1.27), (-1.66, 0.81), (-1.78, 0.29), (-1.84, -0.19),
    (-1.83, -0.69), (-1.69, -1.15), (-1.45, -1.56), (-0.99, -1.91),
)  # fmt: skip
_SLOT: Final[_Line] = (
    (-0.98, -0.04), (-0.89, -0.23), (-0.6, -0.32), (-0.14, -0.28), (0.09, -0.24), (0.32, -0.29),
    (0.65, -0.29), (0.84, -0.17), (0.88, 0.03), (0.77, 0.2), (0.45, 0.28), (0.16, 0.36),
    (-0.1, 0.37), (-0.5, 0.35), (-0.83, 0.25),
)  # fmt: skip
_LOWER_FACE: Final[_Line] = (
    (-1.08, 0.54), (0.72, 0.45), (0.66, 1.19), (0.38, 1.78), (-0.28, 1.86), (-0.88, 1.35),
)  # fmt: skip
_SEAM: Final[_Line] = ((-0.29, -2.05), (0.04, -1.41), (0.17, -0.76), (0.16, -0.3))
_FOLDS: Final[tuple[_Line, ...]] = (
    ((-1.6, 1.01), (-1.03, 1.64), (-0.19, 1.95), (0.71, 1.55)),
    ((-1.45, 1.39), (-0.76, 1.98), (-0.01, 2.18), (0.63, 1.85)),
    ((-1.29, 1.68), (-0.67, 2.18), (0.16, 2.33), (0.57, 2.11)),
    ((-1.69, 0.49), (-1.3, 1.16), (-0.7, 1.55)),
    ((0.97, 0.52), (0.85, 1.05), (0.54, 1.46)),
    ((-0.89, 0.45), (-0.61, 0.83), (-0.51, 1.35)),
    ((0.75, 0.36), (0.67, 0.73), (0.59, 1.13)),
    ((-1.64, -0.8), (-1.13, -0.53), (-0.86, -0.26)),
)
_CROWN, _COLLAR = -2.15, 2.5  # where it starts and ends
_YARN: Final = np.array((40, 38, 37), dtype=np.float32)  # blue-green-red: washed-out black
_LAMP: Final = np.array((0.3, -0.55, 0.78))  # from above, a little from the right
_ROUNDNESS: Final = 1.28  # how far from its edge the head has turned to face the camera
_WALE: Final = 0.107  # from one row of the knit to the next
_SEED: Final = 7  # of the yarn's unevenness


class Balaclava:
    """One balaclava, fitted to one face. Immutable once made.

    Args:
        face: The wearer. The square must hold the whole head with the collar.
    """

    def __init__(self, face: LandmarkedFace) -> None:
        slot = fill_polygon(face, _round_polygon(_SLOT), 0.013)
        head = fill_polygon(face, _round_polygon(_OUTLINE), 0.013)
        rim = blur(draw_line(face, _round_polygon(_SLOT), 0.065, closed=True), 0.016 * face.unit_px)
        inner = np.clip(1.3 * blur(1 - slot, 0.115 * face.unit_px) - 0.25, 0, 1)
        self._face = face
        self._shadow = inner * slot
        self._cloth = _draw_cloth(face, head) * (1 + 0.55 * rim)[..., None]
        self._alpha = head * (1 - slot)

    def put_on(self, pull: float = 1.0) -> Pixels:
        """The face's square with the balaclava on, (S, S, 3).

        Args:
            pull: How far it is pulled down: 0 not at all, 1 into the collar.
        """
        side = self._face.pixels.shape[0]
        hem = np.array([[0.0, _CROWN + pull * (_COLLAR - _CROWN)]], dtype=np.float32)
        above_hem = to_pixels(self._face, hem)[0, 1] - np.arange(side, dtype=np.float32)
        covered = np.clip(above_hem + 0.5, 0, 1)[:, None]  # (S, 1)
        roll = np.exp(-((above_hem / self._face.unit_px - 0.09) ** 2) / 0.003)[:, None]
        if pull >= 1:
            roll = np.zeros_like(roll)  # the hem is inside the collar
        below = darken(self._face.pixels, self._shadow * covered, 0.75)
        return blend_layer(below, self._cloth * (1 + 0.7 * roll)[..., None], self._alpha * covered)


def _draw_cloth(face: LandmarkedFace, head: Floats) -> Floats:
    """(S, S, 3) knitted cloth in the light that falls on the head."""
    side, unit = face.pixels.shape[0], face.unit_px
    rng = np.random.default_rng(_SEED)
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32) / unit
    phase = 2 * np.pi * (xs + 0.1 * make_clouds(side, 1.15 * unit, rng)) / _WALE
    knit = np.sin(phase) * (0.75 + 0.25 * np.sin(77 * ys + phase / 2))
    seam = blur(draw_line(face, _fit_curve(_SEAM), 0.03), 0.013 * unit)
    value = (
        _light_form(head, unit)
        * _draw_relief(face)
        * (1 - 0.55 * _draw_folds(face))
        * (1 - 0.5 * seam)
    )
    value = value * (1 + 0.1 * knit + 0.06 * make_clouds(side, 0.43 * unit, rng))
    sheen = 30 * np.clip(value - 0.6, 0, None)  # black cloth is not black in the light
    return np.asarray(_YARN * (0.45 + 1.1 * value)[..., None] + sheen[..., None], np.float32)


def _light_form(head: Floats, unit: float) -> Floats:
    """(S, S) how the lamp lights a rounded body with this outline, 0 to 1."""
    radius = _ROUNDNESS * unit
    inside = cv2.distanceTransform((head > 0.5).astype(np.uint8), cv2.DIST_L2, 5)  # noqa: PLR2004
    height = radius * np.sqrt(1 - (1 - np.clip(inside / radius, 0, 1)) ** 2)
    down, right = np.gradient(blur(np.asarray(height, np.float32), 0.08 * unit))
    normal = np.stack([-right, -down, np.ones_like(right)], axis=-1)  # (S, S, 3)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.asarray(np.clip(normal @ (_LAMP / np.linalg.norm(_LAMP)), 0, None), np.float32)


def _draw_relief(face: LandmarkedFace) -> Floats:
    """(S, S) about 1: nose, mouth and chin as they press through the cloth."""
    unit = face.unit_px
    grey = cv2.cvtColor(face.pixels, cv2.COLOR_BGR2GRAY).astype(np.float32) + 12
    shading = np.clip(blur(grey, 0.08 * unit) / blur(grey, 0.43 * unit), 0.55, 1.5)
    return np.asarray(
        1 + 0.9 * fill_polygon(face, _round_polygon(_LOWER_FACE), 0.16) * (shading - 1), np.float32
    )


def _draw_folds(face: LandmarkedFace) -> Floats:
    """(S, S) how deep the cloth lies, about 0; negative on the ridges beside the folds."""
    unit = face.unit_px
    depth = np.zeros(face.pixels.shape[:2], dtype=np.float32)
    for fold in _FOLDS:
        line = _fit_curve(fold)
        ridge = line + np.array((-0.065, 0.1), dtype=np.float32)
        depth += blur(draw_line(face, line, 0.08), 0.05 * unit)
        depth -= 0.8 * blur(draw_line(face, ridge, 0.1), 0.065 * unit)
    return depth


def _round_polygon(line: _Line) -> Floats:
    """(N, 2) corners of a polygon, rounded."""
    return round_corners(np.array(line, dtype=np.float32))


def _fit_curve(line: _Line) -> Floats:
    """(40, 2) points of a curve through up to four points."""
    points = np.array(line)
    at = np.linspace(0, 1, len(points))
    through = np.polyfit(at, points, len(points) - 1)  # (degree + 1, 2)
    powers = np.vander(np.linspace(0, 1, 40), len(points))
    return np.asarray(powers @ through, dtype=np.float32)
