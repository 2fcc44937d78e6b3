"""Faces to draw on, with their axes, and soft shapes in face units.

Everything is drawn in *face units*: the origin lies between the eyes, x runs along the
eyes to the picture's right, y down towards the mouth, and one unit is the distance of the
eyes. In these units the mouth lies near (0, 1.1), the chin near (0, 1.8), the hairline
near (0, -0.9) and the crown near (0, -1.7), whatever the size and tilt of the face.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels

Floats: TypeAlias = NDArray[np.float32]
Rng: TypeAlias = np.random.Generator

_TYPICAL: Final = ((-0.155, -0.09), (0.155, -0.09), (0.0, 0.09), (-0.13, 0.26), (0.13, 0.26))
"""Eyes, nose tip, corners of the mouth, relative to the middle of a face box of side 1."""
_CORNER_CUTS: Final = 3  # of Chaikin's rule: eight points for one
_LEAST_UNIT_PX: Final = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkedFace:
    """A clear face in a square picture.

    Args:
        pixels: (S, S, 3) uint8, blue-green-red.
        points: (5, 2) pixels: the eye on the picture's left, the other eye, the nose tip,
            the corners of the mouth, left then right.
    """

    pixels: Pixels
    points: Floats

    @property
    def axes(self) -> Floats:
        """(2, 3): an affine map from face units to pixels."""
        middle = self.points[:2].mean(axis=0)
        down = self.points[3:].mean(axis=0) - middle
        across = self.points[1] - self.points[0]
        # In profile the eyes come close together; the way to the mouth does not shrink.
        unit = max(float(np.hypot(*across)), float(np.hypot(*down)) / 1.15, _LEAST_UNIT_PX)
        down = down / max(float(np.hypot(*down)), 1e-3)
        right = np.array([down[1], -down[0]])
        return np.stack([right * unit, down * unit, middle], axis=1).astype(np.float32)

    @property
    def unit_px(self) -> float:
        """Pixels per face unit."""
        return float(np.hypot(*self.axes[:, 0]))

    @property
    def turn(self) -> float:
        """How far the nose stands off the middle, in face units; positive to the right."""
        axes = self.axes
        nose = np.linalg.solve(axes[:, :2], self.points[2] - axes[:, 2])
        return float(np.clip(nose[0], -0.6, 0.6))


def happens(rng: Rng, chance: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < chance)


def make_typical_points(side_px: float, face_px: float) -> Floats:
    """(5, 2) landmarks of a frontal face in the middle of a square, where none were found."""
    return (np.array(_TYPICAL) * face_px + side_px / 2).astype(np.float32)


def to_pixels(face: LandmarkedFace, shape: Floats) -> Floats:
    """(N, 2) points in face units, as pixels."""
    axes = face.axes
    return np.asarray(shape @ axes[:, :2].T + axes[:, 2], dtype=np.float32)


def round_corners(shape: Floats) -> Floats:
    """(N, 2) corners of a polygon, rounded. Source: Chaikin's corner cutting, 1974."""
    for _ in range(_CORNER_CUTS):
        after = np.roll(shape, -1, axis=0)
        cut = np.stack([0.75 * shape + 0.25 * after, 0.25 * shape + 0.75 * after], axis=1)
        shape = cut.reshape(-1, 2)
    return np.asarray(shape, dtype=np.float32)


def make_ellipse(x: float, y: float, rx: float, ry: float) -> Floats:
    """(24, 2) points of an upright ellipse in face units."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], axis=1)
    return np.asarray(ring, dtype=np.float32)


def mirror_polygon(half: list[tuple[float, float]], shift: float = 0.0) -> Floats:
    """A polygon from its right half, top to bottom; ``shift`` moves it sideways."""
    right = np.array(half, dtype=np.float32)
    left = right[::-1] * np.array([-1, 1], dtype=np.float32)
    return np.concatenate([right, left]) + np.array([shift, 0], dtype=np.float32)


def fill_polygon(face: LandmarkedFace, shape: Floats, soft: float = 0.03) -> Floats:
    """(S, S) coverage in 0..1 of a polygon in face units, with edges ``soft`` units wide."""
    mask = np.zeros(face.pixels.shape[:2], np.uint8)
    corners = np.round(to_pixels(face, shape) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, shift=4)
    return blur(np.asarray(mask / 255, np.float32), soft * face.unit_px)


def draw_line(face: LandmarkedFace, line: Floats, width: float, *, closed: bool = False) -> Floats:
    """(S, S) coverage in 0..1 of a line ``width`` face units wide."""
    mask = np.zeros(face.pixels.shape[:2], np.uint8)
    points = np.round(to_pixels(face, line) * 16).astype(np.int32)
    thick = max(1, round(width * face.unit_px))
    cv2.polylines(mask, [points], closed, 255, thick, cv2.LINE_AA, shift=4)
    return np.asarray(mask / 255, dtype=np.float32)


def blur(values: Floats, sigma_px: float) -> Floats:
    """A Gaussian blur; sigmas below a third of a pixel leave the values as they are."""
    if sigma_px < 0.3:  # noqa: PLR2004  (see above)
        return values
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px), dtype=np.float32)


def make_clouds(side: int, grain: float, rng: Rng) -> Floats:
    """(side, side) smooth noise about 0 with deviation 1, ``grain`` pixels from hill to hill."""
    coarse = max(2, round(side / max(grain, 1.0)) + 1)
    noise = rng.standard_normal((coarse, coarse)).astype(np.float32)
    return np.asarray(
        cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.float32
    )


def blend_layer(pixels: Pixels, layer: Floats, alpha: Floats) -> Pixels:
    """A picture with a layer (S, S, 3) or a colour (3,) laid over it where alpha says so."""
    mixed = pixels + (layer - pixels) * alpha[..., None]
    return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)


def darken(pixels: Pixels, alpha: Floats, depth: float) -> Pixels:
    """A picture made darker by up to ``depth`` of its light where alpha says so."""
    darker = pixels * (1 - np.clip(alpha, 0, 1)[..., None] * depth)
    return np.asarray(darker, dtype=np.uint8)
