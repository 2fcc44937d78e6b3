"""Coverings laid over the faces of a scene, so that a covered face stays a face.

Deliberately simple: at detection size a balaclava is a fabric-coloured oval with a slot.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Pixels

Alpha: TypeAlias = NDArray[np.float32]
"""(height, width), 0 keeps the picture, 1 shows the covering."""

_FABRIC = ((25, 25, 25), (45, 40, 35), (70, 40, 30), (40, 45, 80), (60, 75, 60), (90, 90, 95))
_PALE = ((200, 205, 210), (235, 235, 235), (160, 190, 225), (140, 170, 200))
_SKY = ((210, 190, 150), (200, 205, 160), (230, 230, 230), (40, 40, 40))
_MIN_FACE_PX = 12


def chance(rng: np.random.Generator, share: float) -> bool:
    """True in this share of the cases."""
    return bool(rng.random() < share)


def read_masks(folder: Path) -> list[NDArray[np.uint8]]:
    """Pictures of masks with transparency, (height, width, 4); an empty list without any."""
    found = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(folder.glob("*.png")))
    return [
        mask.astype(np.uint8, copy=False)
        for mask in found
        if mask is not None and mask.ndim == 3 and mask.shape[2] == 4  # noqa: PLR2004
    ]


def cover(
    pixels: Pixels,
    face: Sequence[float],
    masks: Sequence[NDArray[np.uint8]],
    rng: np.random.Generator,
) -> None:
    """Lay one covering, drawn at random, over one face, in place.

    Args:
        pixels: The scene.
        face: Left, top, right, bottom, in pixels.
        masks: What ``read_masks`` gave.
        rng: Where the choices come from.
    """
    left, top, right, bottom = face
    width, height = right - left, bottom - top
    if min(width, height) < _MIN_FACE_PX:
        return
    # The canvas is one face larger on every side, so that a hood may stick out.
    x0, y0 = max(int(left - width / 2), 0), max(int(top - height / 2), 0)
    x1 = min(int(right + width / 2), pixels.shape[1])
    y1 = min(int(bottom + height / 2), pixels.shape[0])
    if x1 - x0 < _MIN_FACE_PX or y1 - y0 < _MIN_FACE_PX:
        return
    patch = pixels[y0:y1, x0:x1]
    centre = ((left + right) / 2 - x0, (top + bottom) / 2 - y0)
    if masks and chance(rng, 0.2):
        _lay_picture(patch, centre, (width, height), masks[int(rng.integers(len(masks)))], rng)
        return
    draw = _SHAPES[int(rng.choice(len(_SHAPES), p=_ODDS))]
    colours = _COLOURS[draw]
    alpha = np.zeros(patch.shape[:2], np.float32)
    draw(alpha, centre, (width, height), rng)
    _blend(patch, alpha, np.array(colours[rng.integers(len(colours))], np.float32), rng)


def _blend(
    patch: Pixels, alpha: Alpha, colour: NDArray[np.float32], rng: np.random.Generator
) -> None:
    """Paint with the scene's own light: shading is the picture's, blurred; the weave is noise."""
    soft = max(patch.shape[1] / 60, 0.4)
    blur = 2 * int(min(soft, 5) * 1.5) + 1
    soft_alpha = cv2.GaussianBlur(alpha, (blur, blur), 0)[..., None]
    high, wide = patch.shape[:2]
    coarse = cv2.resize(
        cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY), (8, 8), interpolation=cv2.INTER_AREA
    )
    light = cv2.resize(coarse.astype(np.float32) / max(float(coarse.mean()), 1.0), (wide, high))
    weave = rng.normal(1, rng.uniform(0.02, 0.15), patch.shape[:2]).astype(np.float32)
    tint = colour * rng.uniform(0.7, 1.3) + rng.normal(0, 10, 3)
    cloth = tint * (0.4 + 0.6 * light[..., None]) * weave[..., None]
    patch[:] = np.clip(patch * (1 - soft_alpha) + cloth * soft_alpha, 0, 255).astype(np.uint8)


def _oval(
    alpha: Alpha, centre: tuple[float, float], radii: tuple[float, float], value: float
) -> None:
    at = (round(centre[0]), round(centre[1]))
    axes = (max(round(radii[0]), 1), max(round(radii[1]), 1))
    cv2.ellipse(alpha, at, axes, 0, 0, 360, value, -1)


def _balaclava(
    alpha: Alpha, at: tuple[float, float], size: tuple[float, float], rng: np.random.Generator
) -> None:
    """Head and neck in fabric, open at the eyes: one slot or two holes, mouth sometimes."""
    x, y, w, h = *at, *size
    _oval(alpha, (x, y - 0.05 * h), (w * rng.uniform(0.58, 0.7), h * rng.uniform(0.62, 0.74)), 1)
    cv2.rectangle(
        alpha,
        (round(x - 0.4 * w), round(y + 0.2 * h)),
        (round(x + 0.4 * w), round(y + h)),
        1,
        -1,
    )
    eyes = y - h * rng.uniform(0.08, 0.16)
    if chance(rng, 0.6):
        _oval(alpha, (x, eyes), (w * rng.uniform(0.3, 0.42), h * rng.uniform(0.07, 0.13)), 0)
        return
    for side in (-1, 1):
        _oval(alpha, (x + side * 0.2 * w, eyes), (w * 0.12, h * 0.07), 0)
    if chance(rng, 0.5):
        _oval(alpha, (x, y + 0.27 * h), (w * 0.16, h * 0.06), 0)


def _scarf(
    alpha: Alpha, at: tuple[float, float], size: tuple[float, float], rng: np.random.Generator
) -> None:
    """Nose, mouth and neck."""
    x, y, w, h = *at, *size
    top = y + h * rng.uniform(-0.1, 0.1)
    outline = [
        (-0.55, 0.05),
        (0, -0.05),
        (0.55, 0.05),
        (0.6, 0.6),
        (0.35, 0.9),
        (-0.35, 0.9),
        (-0.6, 0.6),
    ]
    points = [(round(x + dx * w), round(top + dy * h)) for dx, dy in outline]
    cv2.fillPoly(alpha, [np.array(points, np.int32)], 1)


def _glasses(
    alpha: Alpha, at: tuple[float, float], size: tuple[float, float], rng: np.random.Generator
) -> None:
    """Two dark lenses and a bridge."""
    x, y, w, h = *at, *size
    eyes = y - h * rng.uniform(0.08, 0.16)
    lens = (w * rng.uniform(0.17, 0.22), h * rng.uniform(0.09, 0.14))
    for side in (-1, 1):
        _oval(alpha, (x + side * 0.23 * w, eyes), lens, 1)
    cv2.line(alpha, (round(x - 0.45 * w), round(eyes)), (round(x + 0.45 * w), round(eyes)), 1, 1)


def _helmet(
    alpha: Alpha, at: tuple[float, float], size: tuple[float, float], rng: np.random.Generator
) -> None:
    """The whole head, closed or open at the visor."""
    x, y, w, h = *at, *size
    _oval(alpha, (x, y - 0.1 * h), (w * rng.uniform(0.7, 0.85), h * rng.uniform(0.7, 0.85)), 1)
    if chance(rng, 0.5):
        _oval(alpha, (x, y - 0.08 * h), (w * 0.45, h * rng.uniform(0.15, 0.25)), 0)


def _hard_mask(
    alpha: Alpha, at: tuple[float, float], size: tuple[float, float], _rng: np.random.Generator
) -> None:
    """The face alone, with two eye holes."""
    x, y, w, h = *at, *size
    _oval(alpha, (x, y), (w * 0.5, h * 0.55), 1)
    for side in (-1, 1):
        _oval(alpha, (x + side * 0.2 * w, y - 0.12 * h), (w * 0.09, h * 0.05), 0)


def _mask(
    alpha: Alpha, at: tuple[float, float], size: tuple[float, float], rng: np.random.Generator
) -> None:
    """Nose to chin."""
    x, y, w, h = *at, *size
    top = y + h * rng.uniform(-0.02, 0.08)
    outline = [(-0.42, 0.05), (0, -0.05), (0.42, 0.05), (0.4, 0.3), (0, 0.5), (-0.4, 0.3)]
    points = [(round(x + dx * w), round(top + dy * h)) for dx, dy in outline]
    cv2.fillPoly(alpha, [np.array(points, np.int32)], 1)


def _lay_picture(
    patch: Pixels,
    at: tuple[float, float],
    size: tuple[float, float],
    mask: NDArray[np.uint8],
    rng: np.random.Generator,
) -> None:
    """A photographed mask over nose to chin."""
    x, y, w, h = *at, *size
    wide, high = max(round(w * rng.uniform(0.85, 1.05)), 4), max(round(h * 0.6), 4)
    left, top = round(x - wide / 2), round(y + h * rng.uniform(-0.08, 0.02))
    fitted = cv2.resize(mask, (wide, high), interpolation=cv2.INTER_AREA).astype(np.float32)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + wide, patch.shape[1]), min(top + high, patch.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    fitted = fitted[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = fitted[..., 3:] / 255
    inside = patch[y0:y1, x0:x1]
    inside[:] = np.clip(inside * (1 - alpha) + fitted[..., :3] * alpha, 0, 255).astype(np.uint8)


_Draw: TypeAlias = Callable[
    [Alpha, tuple[float, float], tuple[float, float], np.random.Generator], None
]
_SHAPES: tuple[_Draw, ...] = (_balaclava, _scarf, _glasses, _helmet, _hard_mask, _mask)
_ODDS = (0.4, 0.2, 0.1, 0.1, 0.1, 0.1)
_COLOURS: dict[_Draw, tuple[tuple[int, int, int], ...]] = {
    _balaclava: _FABRIC,
    _scarf: _FABRIC + _PALE,
    _glasses: _FABRIC[:2],
    _helmet: _FABRIC + _PALE,
    _hard_mask: _PALE,
    _mask: _SKY,
}
