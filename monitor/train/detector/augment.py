"""From scenes to training samples: moved, mixed, covered and made worse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.train.detector.cover import chance, cover
from monitor.train.detector.degrade import degrade, recolour
from monitor.train.detector.lens import infrared, rain, through_lens
from monitor.train.detector.scenes import GREY, KINDS, Scene

_PERSON, _HEAD = KINDS.index(Kind.PERSON), KINDS.index(Kind.HEAD)
_MIN_SIDE_PX = 4.0
_MIN_VISIBLE = 0.3  # a box cut down to less than this part is only doubtful
_MAX_HIDDEN = 0.25  # a pasted crop may hide this part of a box, no more


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSample:
    """One square training picture."""

    pixels: Pixels
    boxes: NDArray[np.float32]  # (N, 4) left, top, right, bottom, in pixels
    classes: NDArray[np.int64]  # (N,) index into KINDS
    doubtful: NDArray[np.float32]  # (M, 4) where something may be
    doubtful_classes: NDArray[np.int64]  # (M,) index into KINDS


@dataclass(frozen=True, slots=True, eq=False)
class _Canvas:
    """A picture on its way to a sample; classes from len(KINDS) on are doubtful ones."""

    pixels: Pixels
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Augment:
    """How much is done to the pictures; every share is a probability, 0..1."""

    crops: float = 0.05
    """Head crops, instead of scenes."""
    pasted: float = 0.15
    """Head crops, small, laid on the picture."""
    mosaic: float = 0.4
    """Four pictures in one."""
    close: float = 0.1
    """One head fills much of the picture, of those that are no mosaic."""
    covered_scenes: float = 0.3
    covered_faces: float = 0.5
    lens: float = 0.12
    infrared: float = 0.08
    rain: float = 0.03
    degraded: float = 0.45
    scales: tuple[float, float] = (0.7, 1.8)
    """Longer side of the scene over the side of the sample, when alone."""
    close_heads: tuple[float, float] = (0.2, 0.9)
    """Height of the head over the side of the sample, when close."""
    pasted_heads: tuple[float, float] = (14.0, 120.0)
    """Height of a pasted head, in pixels of the sample."""


@dataclass(frozen=True, slots=True)
class Material:
    """What samples are made of."""

    sources: Sequence[tuple[float, Sequence[Scene]]]
    """Scenes of each source, and the share of samples that is drawn from it."""
    masks: Sequence[NDArray[np.uint8]] = ()
    """Pictures of masks with transparency, laid over faces."""
    crops: Sequence[Scene] = ()
    """Head crops, bare and covered."""


class SampleMaker:
    """Draws samples. Owned by one thread: it keeps the state of its generator.

    Args:
        material: What to draw from.
        augment: How much is done.
        seed: Two makers with the same arguments draw the same samples.
    """

    def __init__(self, material: Material, augment: Augment, seed: int) -> None:
        self._material = material
        self._augment = augment
        self._rng = np.random.default_rng(seed)
        shares = np.array([share for share, _ in material.sources])
        self._shares = shares / shares.sum()

    def draw(self, side: int) -> TrainingSample:
        """The next sample, ``side`` pixels square."""
        canvas = self._compose(side)
        if self._material.crops and chance(self._rng, self._augment.pasted):
            canvas = self._paste(canvas)
        pixels, boxes, classes = canvas.pixels, canvas.boxes, canvas.classes
        if chance(self._rng, 0.5):
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            boxes = np.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], 1)
        if chance(self._rng, self._augment.lens):
            pixels, boxes = through_lens(pixels, boxes, self._rng)
            boxes, classes = _clip(boxes, classes, side, side)
        pixels = self._expose(pixels, boxes[classes == _PERSON])
        sure = classes < len(KINDS)
        boxes = boxes.astype(np.float32)
        return TrainingSample(
            pixels, boxes[sure], classes[sure], boxes[~sure], classes[~sure] - len(KINDS)
        )

    def _expose(self, pixels: Pixels, people: NDArray[np.float32]) -> Pixels:
        """The same picture in other light, and through a worse camera."""
        if chance(self._rng, self._augment.infrared):
            pixels = infrared(pixels, people, self._rng)
        else:
            pixels = recolour(pixels, self._rng)
        if chance(self._rng, self._augment.rain):
            pixels = rain(pixels, self._rng)
        if chance(self._rng, self._augment.degraded):
            pixels = degrade(pixels, self._rng)
        return pixels

    def _compose(self, side: int) -> _Canvas:
        """A mosaic, a close head or a single scene."""
        if chance(self._rng, self._augment.mosaic):
            return self._mosaic(side)
        if chance(self._rng, self._augment.close):
            return self._close(side)
        low, high = np.log(self._augment.scales)
        return self._window(self._pick(), side, side, float(np.exp(self._rng.uniform(low, high))))

    def _pick(self) -> _Canvas:
        """A head crop, or a scene with some of its faces covered."""
        crops = self._material.crops
        if crops and chance(self._rng, self._augment.crops):
            return _canvas(crops[int(self._rng.integers(len(crops)))])
        number = int(self._rng.choice(len(self._shares), p=self._shares))
        scenes = self._material.sources[number][1]
        scene = scenes[int(self._rng.integers(len(scenes)))]
        if len(scene.faces) == 0 or not chance(self._rng, self._augment.covered_scenes):
            return _canvas(scene)
        pixels = scene.pixels.copy()
        for face in scene.faces:
            if chance(self._rng, self._augment.covered_faces):
                cover(pixels, face.tolist(), self._material.masks, self._rng)
        return replace(_canvas(scene), pixels=pixels)

    def _close(self, side: int) -> _Canvas:
        """A window about one head."""
        canvas = self._pick()
        heads = np.flatnonzero(canvas.classes == _HEAD)
        if len(heads) == 0:
            return self._window(canvas, side, side, 1.0)
        left, top, right, bottom = canvas.boxes[self._rng.choice(heads)].tolist()
        low, high = np.log(self._augment.close_heads)
        scale = float(np.exp(self._rng.uniform(low, high))) * side / max(bottom - top, 1.0)
        x, y = self._rng.uniform(0.3, 0.7, 2) * side
        shift = (x - scale * (left + right) / 2, y - scale * (top + bottom) / 2)
        return _reframe(canvas, (scale, scale), shift, (side, side))

    def _paste(self, canvas: _Canvas) -> _Canvas:
        """One to four head crops, where they hide little of what is sure."""
        pixels = canvas.pixels.copy()
        boxes, classes = canvas.boxes, canvas.classes
        low, high = np.log(self._augment.pasted_heads)
        for _ in range(int(self._rng.integers(1, 5))):
            crop = self._material.crops[int(self._rng.integers(len(self._material.crops)))]
            tall = (crop.boxes[0, 3] - crop.boxes[0, 1]) if len(crop.boxes) else 0.7 * SIDE
            scale = float(np.exp(self._rng.uniform(low, high)) / max(tall, 1.0))
            size = max(round(crop.pixels.shape[0] * scale), 8)
            room = pixels.shape[0] - size
            if room <= 0:
                continue
            x, y = (int(v) for v in self._rng.integers(0, room, 2))
            place = np.array([x, y, x + size, y + size], np.float32)
            if (_share_hidden(boxes, place)[classes < len(KINDS)] > _MAX_HIDDEN).any():
                continue
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            pixels[y : y + size, x : x + size] = cv2.resize(
                crop.pixels, (size, size), interpolation=how
            )
            body = np.array([[x - size // 2, y, x + size + size // 2, y + 2 * size]], np.float32)
            added = np.concatenate([crop.boxes * scale + place[[0, 1, 0, 1]], body])
            kinds = np.concatenate([crop.classes, [_PERSON + len(KINDS)]])
            if len(crop.doubtful_classes) and _HEAD in crop.doubtful_classes:
                added = np.concatenate([added, place[None]])
                kinds = np.concatenate([kinds, [_HEAD + len(KINDS)]])
            boxes = np.concatenate([boxes, added.astype(np.float32)])
            classes = np.concatenate([classes, kinds])
        side = pixels.shape[0]
        return _Canvas(pixels, *_clip(boxes, classes, side, side))

    def _mosaic(self, side: int) -> _Canvas:
        """Four pictures around a random centre; boxes cut by a seam are cut with the picture."""
        cx, cy = (int(c) for c in self._rng.uniform(0.3, 0.7, 2) * side)
        sheet = np.full((side, side, 3), GREY, np.uint8)
        boxes: list[NDArray[np.float32]] = []
        classes: list[NDArray[np.int64]] = []
        for x0, y0, x1, y1 in (
            (0, 0, cx, cy),
            (cx, 0, side, cy),
            (0, cy, cx, side),
            (cx, cy, side, side),
        ):
            zoom = float(np.exp(self._rng.uniform(np.log(0.7), np.log(2.2))))
            part = self._window(self._pick(), x1 - x0, y1 - y0, zoom)
            sheet[y0:y1, x0:x1] = part.pixels
            boxes.append(part.boxes + np.array([x0, y0, x0, y0], np.float32))
            classes.append(part.classes)
        return _Canvas(sheet, np.concatenate(boxes), np.concatenate(classes))

    def _window(self, canvas: _Canvas, width: int, height: int, zoom: float) -> _Canvas:
        """The picture, its longer side ``zoom`` times the window's, at a random place behind it."""
        high, wide = canvas.pixels.shape[:2]
        scale = zoom * max(width, height) / max(high, wide)
        stretch = float(np.exp(self._rng.uniform(-0.1, 0.1)))
        sx, sy = scale * stretch, scale / stretch
        dx = self._rng.uniform(*sorted((0.0, width - wide * sx)))
        dy = self._rng.uniform(*sorted((0.0, height - high * sy)))
        return _reframe(canvas, (sx, sy), (dx, dy), (width, height))


SIDE = 160.0  # pixels of the head crops


def _canvas(scene: Scene) -> _Canvas:
    """A scene with its doubtful boxes as further classes."""
    return _Canvas(
        scene.pixels,
        np.concatenate([scene.boxes, scene.doubtful]),
        np.concatenate([scene.classes, scene.doubtful_classes + len(KINDS)]),
    )


def _share_hidden(boxes: NDArray[np.float32], place: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) the part of each box (N, 4) that lies in one place (4,)."""
    shared = np.clip(
        np.minimum(boxes[:, 2:], place[2:]) - np.maximum(boxes[:, :2], place[:2]), 0, None
    ).prod(axis=1)
    hidden: NDArray[np.float32] = shared / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)
    return hidden


def _reframe(
    canvas: _Canvas, scale: tuple[float, float], shift: tuple[float, float], size: tuple[int, int]
) -> _Canvas:
    """A picture scaled and shifted behind a window of this size."""
    pixels = _place(canvas.pixels, scale, shift, size)
    moved = canvas.boxes * np.array(scale * 2, np.float32) + np.array(shift * 2, np.float32)
    return _Canvas(pixels, *_clip(moved, canvas.classes, *size))


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
    grey = (GREY, GREY, GREY)
    placed = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=grey)
    return placed.astype(np.uint8, copy=False)


def _clip(
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
