"""What cameras do to pictures: a tilted mount, a wide lens, infrared light, drops of rain."""

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels

_ROUND = np.linspace(0, 2 * np.pi, 24, endpoint=False)  # where a box's oval is followed
_GREY = (114, 114, 114)


def through_lens(
    pixels: Pixels, boxes: NDArray[np.float32], rng: np.random.Generator
) -> tuple[Pixels, NDArray[np.float32]]:
    """Turn a picture about its middle and bulge it as a wide lens does.

    Args:
        pixels: (S, S, 3).
        boxes: (N, 4) left, top, right, bottom in pixels; each is taken for an oval.
        rng: Draws the angle (mostly within 15 degrees) and the bulge (none to strong).

    Returns:
        The picture, grey where the old one did not reach, and the boxes about the ovals.
    """
    side = pixels.shape[0]
    angle = np.deg2rad(rng.normal(0, 8)) if rng.random() < 0.7 else 0.0  # noqa: PLR2004
    bulge = rng.uniform(0.1, 0.9) if rng.random() < 0.5 else 0.0  # noqa: PLR2004
    zoom = rng.uniform(1 / (1 + bulge), 1.0)
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(axis, axis)
    source = _behind(np.stack([x, y], -1), angle, bulge, zoom)
    at = ((source + 1) * side / 2 - 0.5).astype(np.float32)
    moved = cv2.remap(pixels, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=_GREY)
    return moved.astype(np.uint8, copy=False), _moved(boxes, side, (angle, bulge, zoom))


def infrared(pixels: Pixels, people: NDArray[np.float32], rng: np.random.Generator) -> Pixels:
    """Grey, lit from the camera: people and middle bright, corners black, little in between.

    Args:
        pixels: (S, S, 3).
        people: (N, 4) boxes; clothes throw back infrared light whatever their colour.
        rng: Decides how much of everything.
    """
    side = pixels.shape[0]
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    if rng.random() < 0.5:  # noqa: PLR2004
        lit = np.zeros((side, side), np.float32)
        for left, top, right, bottom in people.tolist():
            middle = (round((left + right) / 2), round((top + bottom) / 2))
            half = (max(round((right - left) * 0.42), 1), max(round((bottom - top) * 0.48), 1))
            cv2.ellipse(lit, middle, half, 0, 0, 360, rng.uniform(0.2, 0.9), -1)
        soft = cv2.GaussianBlur(lit, (0, 0), max(side / 40, 1))
        grey = grey * (1 - soft) + (255 - 0.6 * (255 - grey)) * soft
    contrast, level = rng.uniform(0.6, 1.6), rng.uniform(40, 140)
    grey = (grey - grey.mean()) * contrast + level
    if rng.random() < 0.6:  # noqa: PLR2004
        axis = np.linspace(-1, 1, side, dtype=np.float32)
        cx, cy = rng.uniform(-0.4, 0.4, 2)
        far = np.hypot(axis[None] - cx, axis[:, None] - cy)
        grey *= np.clip(1.15 - rng.uniform(0.3, 0.9) * far**2, 0.02, 1.2)
    level8 = np.clip(grey, 0, 255).astype(np.uint8)
    return np.repeat(level8[..., None], 3, axis=2)


def rain(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Blurred discs, as drops and dirt on the glass before the lens."""
    side = pixels.shape[0]
    drops = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(2, 12))):
        at = tuple(int(v) for v in rng.integers(0, side, 2))
        radius = max(int(side * rng.uniform(0.01, 0.09)), 1)
        cv2.circle(drops, at, radius, rng.uniform(0.5, 1), -1)
    alpha = cv2.GaussianBlur(drops, (0, 0), max(side / 120, 0.8))[..., None]
    smeared = cv2.GaussianBlur(pixels, (0, 0), side * rng.uniform(0.01, 0.03))
    shone = smeared.astype(np.float32) * rng.uniform(0.8, 1.25)
    seen: Pixels = np.clip(pixels * (1 - alpha) + shone * alpha, 0, 255).astype(np.uint8)
    return seen


def _behind(
    points: NDArray[np.float32], angle: float, bulge: float, zoom: float
) -> NDArray[np.float32]:
    """Where in the old picture points (..., 2) of the new one come from, in -1..1."""
    radius2 = (points**2).sum(axis=-1, keepdims=True)
    out = points * (zoom * (1 + bulge * radius2))
    cos, sin = np.cos(angle), np.sin(angle)
    turned: NDArray[np.float32] = out @ np.array([[cos, -sin], [sin, cos]], np.float32)
    return turned


def _moved(
    boxes: NDArray[np.float32], side: int, lens: tuple[float, float, float]
) -> NDArray[np.float32]:
    """The boxes about the boxes' ovals in the new picture: the way back, found by halving."""
    angle, bulge, zoom = lens
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    oval = middle[:, None] + half[:, None] * np.stack([np.cos(_ROUND), np.sin(_ROUND)], -1)
    old = oval / side * 2 - 1
    cos, sin = np.cos(angle), np.sin(angle)
    back = old @ np.array([[cos, -sin], [sin, cos]], np.float32).T
    far = np.hypot(back[..., 0], back[..., 1])
    low, high = np.zeros_like(far), np.full_like(far, 4.0)
    for _ in range(24):
        tried = (low + high) / 2
        beyond = tried * zoom * (1 + bulge * tried**2) > far
        low, high = np.where(beyond, low, tried), np.where(beyond, tried, high)
    new = back * (low / np.maximum(far, 1e-6))[..., None]
    at = (new + 1) * side / 2
    return np.concatenate([at.min(axis=1), at.max(axis=1)], 1).astype(np.float32)
