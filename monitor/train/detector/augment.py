"""From scenes to training samples: moved, mixed, covered and made worse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.train.detector.cover import chance, cover
from monitor.train.detector.cutouts import Props
from monitor.train.detector.lens import infrared, rain, through_lens
from monitor.train.detector.scenes import KINDS, Scene
from monitor.train.detector.stage import compose

_PERSON, _FACE = KINDS.index(Kind.PERSON), KINDS.index(Kind.FACE)
_GREY = 114  # what YOLO models are padded with
_MIN_SIDE_PX = 4.0
_MIN_VISIBLE = 0.3  # a box cut down to less than this part is only doubtful


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One square training picture."""

    pixels: Pixels
    boxes: NDArray[np.float32]  # (N, 4) left, top, right, bottom, in pixels
    classes: NDArray[np.int64]  # (N,) index into KINDS
    doubtful: NDArray[np.float32]  # (M, 4) where something may be
    doubtful_classes: NDArray[np.int64]  # (M,) index into KINDS


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A picture on its way to a sample; classes from len(KINDS) on are doubtful ones."""

    pixels: Pixels
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Augment:
    """How much is done to the pictures; every share is a probability, 0..1."""

    staged: float = 0.35
    """Cut-out people on made-up stages, instead of scenes."""
    heads: float = 0.15
    """Head crops, of all other pictures."""
    mosaic: float = 0.5
    """Four pictures in one, of all but stages."""
    close: float = 0.25
    """One face fills much of the picture, of those that are no mosaic."""
    covered_scenes: float = 0.5
    covered_faces: float = 0.5
    lens: float = 0.3
    infrared: float = 0.12
    rain: float = 0.06
    degraded: float = 0.5
    scales: tuple[float, float] = (0.45, 1.9)
    """Longer side of the scene over the side of the sample, when alone."""
    close_faces: tuple[float, float] = (0.25, 1.0)
    """Height of the face over the side of the sample, when close."""


@dataclass(frozen=True, slots=True)
class Material:
    """What samples are made of."""

    scenes: Sequence[Scene]
    props: Props
    heads: Sequence[Scene] = ()


class SampleMaker:
    """Draws samples. Owned by one thread: it keeps the state of its generator.

    Args:
        material: What to draw from.
        augment: How much is done.
        seed: Two makers with the same arguments draw the same samples.
    """

    def __init__(self, material: Material, augment: Augment, seed: int) -> None:
        self._material = material
        self._props = material.props
        self._augment = augment
        self._rng = np.random.default_rng(seed)

    def draw(self, side: int) -> Sample:
        """The next sample, ``side`` pixels square."""
        part = self._any(side)
        pixels, boxes, classes = part.pixels, part.boxes, part.classes
        if chance(self._rng, 0.5):
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            boxes = np.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], 1)
        if chance(self._rng, self._augment.lens):
            pixels, boxes = through_lens(pixels, boxes, self._rng)
            boxes, classes = _kept(boxes, classes, side, side)
        pixels = self._seen(pixels, boxes[classes == _PERSON])
        sure = classes < len(KINDS)
        boxes = boxes.astype(np.float32)
        return Sample(pixels, boxes[sure], classes[sure], boxes[~sure], classes[~sure] - len(KINDS))

    def _seen(self, pixels: Pixels, people: NDArray[np.float32]) -> Pixels:
        """The same picture in other light, and through a worse camera."""
        if chance(self._rng, self._augment.infrared):
            pixels = infrared(pixels, people, self._rng)
        else:
            pixels = _recolour(pixels, self._rng)
        if chance(self._rng, self._augment.rain):
            pixels = rain(pixels, self._rng)
        if chance(self._rng, self._augment.degraded):
            pixels = _degrade(pixels, self._rng)
        return pixels

    def _any(self, side: int) -> _Part:
        """Of one of the four sorts."""
        if self._props.people and self._props.walls and chance(self._rng, self._augment.staged):
            pixels, boxes, classes = compose(self._props, side, self._rng)
            return _Part(pixels, *_kept(boxes, classes, side, side))
        if chance(self._rng, self._augment.mosaic):
            return self._mosaic(side)
        if chance(self._rng, self._augment.close):
            return self._close(side)
        return self._single(side)

    def _pick(self) -> _Part:
        """A head crop, or a scene with some of its faces covered."""
        heads, scenes = self._material.heads, self._material.scenes
        if heads and chance(self._rng, self._augment.heads):
            return _part(heads[int(self._rng.integers(len(heads)))])
        scene = scenes[int(self._rng.integers(len(scenes)))]
        faces = np.flatnonzero(scene.classes == _FACE)
        if len(faces) == 0 or not chance(self._rng, self._augment.covered_scenes):
            return _part(scene)
        pixels = scene.pixels.copy()
        for index in faces:
            if chance(self._rng, self._augment.covered_faces):
                cover(pixels, scene.boxes[index].tolist(), self._props.masks, self._rng)
        return replace(_part(scene), pixels=pixels)

    def _single(self, side: int) -> _Part:
        low, high = np.log(self._augment.scales)
        return self._window(self._pick(), side, side, float(np.exp(self._rng.uniform(low, high))))

    def _close(self, side: int) -> _Part:
        """A window about one face."""
        part = self._pick()
        faces = np.flatnonzero(part.classes == _FACE)
        if len(faces) == 0:
            return self._window(part, side, side, 1.0)
        left, top, right, bottom = part.boxes[self._rng.choice(faces)].tolist()
        low, high = np.log(self._augment.close_faces)
        scale = float(np.exp(self._rng.uniform(low, high))) * side / max(bottom - top, 1.0)
        x, y = self._rng.uniform(0.3, 0.7, 2) * side
        shift = (x - scale * (left + right) / 2, y - scale * (top + bottom) / 2)
        return _framed(part, (scale, scale), shift, (side, side))

    def _mosaic(self, side: int) -> _Part:
        """Four pictures around a random centre; boxes cut by a seam are cut with the picture."""
        cx, cy = (int(c) for c in self._rng.uniform(0.3, 0.7, 2) * side)
        canvas = np.full((side, side, 3), _GREY, np.uint8)
        boxes: list[NDArray[np.float32]] = []
        classes: list[NDArray[np.int64]] = []
        for x0, y0, x1, y1 in (
            (0, 0, cx, cy),
            (cx, 0, side, cy),
            (0, cy, cx, side),
            (cx, cy, side, side),
        ):
            zoom = float(np.exp(self._rng.uniform(np.log(0.6), np.log(2.0))))
            part = self._window(self._pick(), x1 - x0, y1 - y0, zoom)
            canvas[y0:y1, x0:x1] = part.pixels
            boxes.append(part.boxes + np.array([x0, y0, x0, y0], np.float32))
            classes.append(part.classes)
        return _Part(canvas, np.concatenate(boxes), np.concatenate(classes))

    def _window(self, part: _Part, width: int, height: int, zoom: float) -> _Part:
        """The picture, its longer side ``zoom`` times the window's, at a random place behind it."""
        high, wide = part.pixels.shape[:2]
        scale = zoom * max(width, height) / max(high, wide)
        stretch = float(np.exp(self._rng.uniform(-0.12, 0.12)))
        sx, sy = scale * stretch, scale / stretch
        dx = self._rng.uniform(*sorted((0.0, width - wide * sx)))
        dy = self._rng.uniform(*sorted((0.0, height - high * sy)))
        return _framed(part, (sx, sy), (dx, dy), (width, height))


def _part(scene: Scene) -> _Part:
    """A scene with its doubtful boxes as further classes."""
    return _Part(
        scene.pixels,
        np.concatenate([scene.boxes, scene.doubtful]),
        np.concatenate([scene.classes, scene.doubtful_classes + len(KINDS)]),
    )


def _framed(
    part: _Part, scale: tuple[float, float], shift: tuple[float, float], size: tuple[int, int]
) -> _Part:
    """A picture scaled and shifted behind a window of this size."""
    pixels = _place(part.pixels, scale, shift, size)
    moved = part.boxes * np.array(scale * 2, np.float32) + np.array(shift * 2, np.float32)
    return _Part(pixels, *_kept(moved, part.classes, *size))


def _place(
    pixels: Pixels, scale: tuple[float, float], shift: tuple[float, float], size: tuple[int, int]
) -> Pixels:
    """Scale and shift a picture onto a grey window."""
    if min(scale) < 0.6:  # noqa: PLR2004  (below this, sampling single pixels would alias)
        wide = max(round(pixels.shape[1] * scale[0]), 1)
        high = max(round(pixels.shape[0] * scale[1]), 1)
        pixels = cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_AREA).astype(np.uint8)
        scale = (1.0, 1.0)
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]], np.float64)
    grey = (_GREY, _GREY, _GREY)
    placed = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=grey)
    return placed.astype(np.uint8, copy=False)


def _kept(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes clipped to the window; those hardly visible or tiny become doubtful."""
    clipped = boxes.copy()
    clipped[:, [0, 2]] = clipped[:, [0, 2]].clip(0, width)
    clipped[:, [1, 3]] = clipped[:, [1, 3]].clip(0, height)
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    sides = clipped[:, 2:] - clipped[:, :2]
    sure = (sides.min(axis=1) >= _MIN_SIDE_PX) & (sides.prod(axis=1) >= _MIN_VISIBLE * whole)
    marked = np.where(sure | (classes >= len(KINDS)), classes, classes + len(KINDS))
    keep = sides.min(axis=1) > 0
    return clipped[keep], marked[keep]


def _recolour(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Other light: brightness, contrast and a colour cast; sometimes grey, sometimes dark."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
    offset = rng.uniform(-20, 20)
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    if chance(rng, 0.12):
        gain, offset = gain * rng.uniform(0.3, 0.6), 0.0
    ramp = (np.arange(256) / 255) ** gamma * 255
    table = np.clip(ramp[:, None] * gain + offset, 0, 255).astype(np.uint8)  # (256, 3)
    recoloured = cv2.LUT(pixels, table[None])
    if chance(rng, 0.15):
        grey = cv2.cvtColor(recoloured, cv2.COLOR_BGR2GRAY)
        recoloured = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    return recoloured.astype(np.uint8, copy=False)


def _degrade(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """One or two of: fewer pixels, blur, noise, compression."""
    side = pixels.shape[0]
    if chance(rng, 0.4):
        few = int(side * rng.uniform(0.35, 0.8))
        small = cv2.resize(pixels, (few, few), interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    elif chance(rng, 0.5):
        pixels = cv2.GaussianBlur(pixels, (5, 5), rng.uniform(0.4, 1.4)).astype(np.uint8)
    if chance(rng, 0.4):
        noise = rng.normal(0, rng.uniform(2, 14), (side, side, 1)).astype(np.float32)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if chance(rng, 0.5):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))]
        _, coded = cv2.imencode(".jpg", pixels, quality)
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return pixels
