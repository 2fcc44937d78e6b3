"""Made-up stages: whole people where a camera on a wall would see them.

The scenes are photographs of people, close and framed; a camera sees them small, whole and
in front of rooms that are mostly empty.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.train.detector.cover import chance, cover
from monitor.train.detector.cutouts import Cutout, Props
from monitor.train.detector.scenes import KINDS

_PERSON, _FACE = KINDS.index(Kind.PERSON), KINDS.index(Kind.FACE)
_HIDDEN = 0.55  # a person covered more than this by later ones is no longer asked for


def compose(
    props: Props, side: int, rng: np.random.Generator
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.int64]]:
    """An empty room or street with none to seven people in it, some with a covered face.

    Returns:
        Pixels (side, side, 3), boxes (N, 4) in pixels and classes (N,).
    """
    stage = _background(props, side, rng)
    boxes: list[list[float]] = []
    classes: list[int] = []
    largest = float(np.exp(rng.uniform(np.log(0.14), np.log(0.9)))) * side
    count = 0 if chance(rng, 0.15) else int(rng.integers(1, 4 if largest > side / 2 else 8))
    heights = np.sort(largest * rng.uniform(0.45, 1.0, count))
    owner = np.full((side, side), -1, np.int16)
    people: list[tuple[list[float], float]] = []
    for number, height in enumerate(heights):
        cutout = props.people[int(rng.integers(len(props.people)))]
        cutout = _covered_sometimes(cutout, props.masks, rng)
        person, face, area = _put(stage, owner, cutout, float(height), (number, rng))
        people.append((person, area))
        boxes += [person] if face is None else [person, face]
        classes += [_PERSON] if face is None else [_PERSON, _FACE]
    seen = [
        (owner == number).sum() >= _HIDDEN * max(area, 1.0)
        for number, (_, area) in enumerate(people)
    ]
    numbers = np.cumsum([kind == _PERSON for kind in classes]) - 1
    keep = np.array([seen[number] for number in numbers], np.bool_)
    found = np.array(boxes, np.float32).reshape(-1, 4)
    return stage, found[keep], np.array(classes, np.int64)[keep]


def _covered_sometimes(
    cutout: Cutout, masks: Sequence[NDArray[np.uint8]], rng: np.random.Generator
) -> Cutout:
    """The same person, in three of ten cases with something before the face."""
    if cutout.face is None or not chance(rng, 0.3):
        return cutout
    pixels = cutout.pixels.copy()
    cover(pixels, cutout.face.tolist(), masks, rng)
    return replace(cutout, pixels=pixels)


def _background(props: Props, side: int, rng: np.random.Generator) -> Pixels:
    """A wall, a floor, and things: pieces of scenes, plain colours, boards and boxes."""
    stage = _surface(props, side, side, rng)
    horizon = int(side * rng.uniform(0.1, 0.75))
    if chance(rng, 0.8):
        stage[horizon:] = _surface(props, side, side - horizon, rng)
    for _ in range(int(rng.integers(0, 9))):
        w, h = (max(int(s), 2) for s in np.exp(rng.uniform(np.log(0.02), np.log(0.5), 2)) * side)
        x, y = (int(rng.integers(-s // 2, side - s // 2)) for s in (w, h))
        thing = stage[max(y, 0) : y + h, max(x, 0) : x + w]
        if chance(rng, 0.5):
            thing[:] = _colour(rng)
        else:
            thing[:] = _surface(props, thing.shape[1], thing.shape[0], rng)
    for _ in range(int(rng.integers(0, 6))):
        ends = rng.integers(-side // 4, side * 5 // 4, (2, 2)).tolist()
        colour = _colour(rng).tolist()
        cv2.line(stage, ends[0], ends[1], colour, int(rng.integers(1, 7)), cv2.LINE_AA)
    return stage


def _surface(props: Props, width: int, height: int, rng: np.random.Generator) -> Pixels:
    """A piece of a scene, a gradient, or stripes."""
    draw = rng.random()
    if draw < 0.6 or min(width, height) < 4:  # noqa: PLR2004
        piece = props.walls[int(rng.integers(len(props.walls)))]
        return cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if draw < 0.85:  # noqa: PLR2004
        corners = (_colour(rng) + rng.integers(-40, 40, (2, 2, 1))).clip(0, 255)
        return cv2.resize(corners.astype(np.uint8), (width, height)).astype(np.uint8)
    strips = _colour(rng) + rng.integers(-25, 25, (1, int(rng.integers(4, 40)), 1))
    laid = strips.clip(0, 255).astype(np.uint8)
    laid = laid if chance(rng, 0.6) else laid.transpose(1, 0, 2)
    return cv2.resize(laid, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8)


def _colour(rng: np.random.Generator) -> NDArray[np.int64]:
    """(3,) a colour, mostly a dull one: rooms and streets are."""
    vividness = 90 if chance(rng, 0.2) else 25
    return (rng.integers(10, 245) + rng.integers(-vividness, vividness + 1, 3)).clip(0, 255)


def _put(
    stage: Pixels,
    owner: NDArray[np.int16],
    cutout: Cutout,
    height: float,
    turn: tuple[int, np.random.Generator],
) -> tuple[list[float], list[float] | None, float]:
    """Paint one person on the stage, in place.

    Returns:
        The person's box and face's box, clipped, and how many pixels were painted.
    """
    number, rng = turn
    side = stage.shape[0]
    scale = height / cutout.pixels.shape[0]
    w, h = max(round(cutout.pixels.shape[1] * scale), 2), max(round(height), 4)
    pixels = cv2.resize(cutout.pixels, (w, h), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(cutout.alpha, (w, h), interpolation=cv2.INTER_AREA)
    flipped = chance(rng, 0.5)
    if flipped:
        pixels, alpha = pixels[:, ::-1], alpha[:, ::-1]
    x = int(rng.integers(-w // 4, max(side - 3 * w // 4, 1)))
    y = int(rng.integers(0, max(side - h, 1))) if cutout.whole else side - h
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, side), min(y + h, side)
    tint = rng.uniform(0.6, 1.3) * rng.uniform(0.93, 1.07, 3)
    part = pixels[y0 - y : y1 - y, x0 - x : x1 - x] * tint
    mask = alpha[y0 - y : y1 - y, x0 - x : x1 - x, None]
    under = stage[y0:y1, x0:x1]
    under[:] = np.clip(under * (1 - mask) + part * mask, 0, 255).astype(np.uint8)
    solid = mask[..., 0] > 0.5  # noqa: PLR2004  (more person than background)
    owner[y0:y1, x0:x1][solid] = number
    face = None
    if cutout.face is not None and cutout.face[3] - cutout.face[1] > 0:
        left, top, right, bottom = (cutout.face * scale).tolist()
        left, right = (w - right, w - left) if flipped else (left, right)
        if min(right - left, bottom - top) >= 4 and x0 <= x + left and x + right <= x1:  # noqa: PLR2004
            face = [x + left, y + top, x + right, y + bottom]
    return [float(x0), float(y0), float(x1), float(y1)], face, float((alpha > 0.5).sum())  # noqa: PLR2004
