"""Whole people, and background with nobody in it, cut out of scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.train.detector.scenes import KINDS, Scene

_PERSON, _FACE = KINDS.index(Kind.PERSON), KINDS.index(Kind.FACE)
_CUT_PX = 176.0  # the height that people are cut out at: enough for the sizes on a stage
_MIN_PERSON_PX = 60.0
_ASPECT = (1.6, 4.5)  # height over width of people who stand
_MARGIN = 0.12  # around the box, for the background's colours
_FILLED = (0.3, 0.85)  # the part of a box that a person covers, if the cut is good
_CROWDED = 0.25  # a box that others cover more than this is left alone
_FACE_INSIDE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """One standing person without the background."""

    pixels: Pixels
    alpha: NDArray[np.float32]  # (height, width), 0..1
    face: NDArray[np.float32] | None  # left, top, right, bottom in these pixels
    whole: bool  # feet in view


@dataclass(frozen=True, slots=True, eq=False)
class Props:
    """What stages are made of."""

    people: Sequence[Cutout]
    walls: Sequence[Pixels]  # pieces of scenes with nobody in them
    masks: Sequence[NDArray[np.uint8]]  # pictures of masks, for faces

    def save(self, path: Path) -> None:
        """Keep what took a minute to cut out."""
        people = [
            (*(torch.from_numpy(a) for a in (c.pixels, c.alpha, _or_empty(c.face))), c.whole)
            for c in self.people
        ]
        torch.save({"people": people, "walls": [torch.from_numpy(w) for w in self.walls]}, path)

    @classmethod
    def load(cls, path: Path, masks: Sequence[NDArray[np.uint8]]) -> Self:
        """Read what ``save`` wrote."""
        kept = torch.load(path, weights_only=True)
        people = [
            Cutout(pixels.numpy(), alpha.numpy(), face.numpy() if len(face) else None, whole)
            for pixels, alpha, face, whole in kept["people"]
        ]
        return cls(people, [wall.numpy() for wall in kept["walls"]], masks)


def collect(scenes: Sequence[Scene], masks: Sequence[NDArray[np.uint8]], seed: int) -> Props:
    """Cut people out of scenes, and pieces of background from between them."""
    rng = np.random.default_rng(seed)
    cv2.setRNGSeed(seed)
    people: list[Cutout] = []
    walls: list[Pixels] = []
    for scene in scenes:
        for index in np.flatnonzero(scene.classes == _PERSON):
            cutout = _cut(scene, int(index))
            if cutout is not None:
                people.append(cutout)
        walls.extend(_empty_pieces(scene, rng))
    return Props(people, walls, masks)


def _cut(scene: Scene, index: int) -> Cutout | None:
    """One person, or None if it does not stand free, or cannot be told from the background."""
    left, top, right, bottom = scene.boxes[index].tolist()
    width, height = right - left, bottom - top
    high, wide = scene.pixels.shape[:2]
    if height < _MIN_PERSON_PX or not _ASPECT[0] <= height / max(width, 1) <= _ASPECT[1]:
        return None
    if left < 1 or right > wide - 1 or _covered(scene, index) > _CROWDED:
        return None
    dx, dy = _MARGIN * width, _MARGIN * height / 2
    x0, y0 = max(int(left - dx), 0), max(int(top - dy), 0)
    x1, y1 = min(int(right + dx), wide), min(int(bottom + dy), high)
    scale = _CUT_PX / (y1 - y0)
    size = (max(round((x1 - x0) * scale), 8), round(_CUT_PX))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(scene.pixels[y0:y1, x0:x1], size, interpolation=how).astype(np.uint8)
    box = (np.array([left - x0, top - y0, right - x0, bottom - y0]) * scale).round().astype(int)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    room = (int(box[0]), int(box[1]), int(box[2] - box[0]), int(box[3] - box[1]))
    state = np.zeros((1, 65), np.float64)
    cv2.grabCut(pixels, mask, room, state, state.copy(), 3, cv2.GC_INIT_WITH_RECT)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    inside = _largest(inside)
    part = inside.sum() / max(room[2] * room[3], 1)
    rows = np.flatnonzero(inside.any(axis=1))
    if not _FILLED[0] <= part <= _FILLED[1] or np.ptp(rows) < 0.9 * room[3]:
        return None
    columns = np.flatnonzero(inside.any(axis=0))
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    offset = np.array([x0, y0, x0, y0], np.float32)
    shift = np.array([columns[0], rows[0], columns[0], rows[0]], np.float32)
    face = _face_in(scene, index)
    soft = cv2.GaussianBlur(inside.astype(np.float32), (3, 3), 0)
    return Cutout(
        pixels[cut].copy(),
        soft[cut].astype(np.float32),
        None if face is None else ((face - offset) * scale - shift).astype(np.float32),
        whole=bottom < high - 3,
    )


def _covered(scene: Scene, index: int) -> float:
    """The largest part of one person's box that another person's box covers."""
    box = scene.boxes[index]
    others = scene.boxes[(scene.classes == _PERSON) & (np.arange(len(scene.boxes)) != index)]
    top_left, bottom_right = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=1)
    return float(shared.max(initial=0.0) / (box[2:] - box[:2]).prod())


def _or_empty(face: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The face, or (0,)."""
    return np.zeros(0, np.float32) if face is None else face


def _face_in(scene: Scene, index: int) -> NDArray[np.float32] | None:
    """The face that lies in a person's box, if there is one."""
    box = scene.boxes[index]
    face: NDArray[np.float32]
    for face in scene.boxes[scene.classes == _FACE]:
        shared = np.clip(np.minimum(face[2:], box[2:]) - np.maximum(face[:2], box[:2]), 0, None)
        if shared.prod() >= _FACE_INSIDE * (face[2:] - face[:2]).prod():
            return face
    return None


def _largest(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest connected part."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    if count <= 1:
        return inside
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(labels == best, np.uint8)


def _empty_pieces(scene: Scene, rng: np.random.Generator, tries: int = 40) -> list[Pixels]:
    """Windows that no box touches, an eighth of the picture or more on each side."""
    high, wide = scene.pixels.shape[:2]
    pieces: list[Pixels] = []
    for _ in range(tries):
        w, h = (int(s) for s in rng.uniform(0.12, 0.7, 2) * (wide, high))
        x, y = int(rng.integers(0, wide - w)), int(rng.integers(0, high - h))
        apart = (
            (scene.boxes[:, 0] > x + w)
            | (scene.boxes[:, 2] < x)
            | (scene.boxes[:, 1] > y + h)
            | (scene.boxes[:, 3] < y)
        )
        if apart.all() and min(w, h) >= 32:  # noqa: PLR2004  (pixels: enough to have texture)
            pieces.append(scene.pixels[y : y + h, x : x + w].copy())
            if len(pieces) == 3:  # noqa: PLR2004  (no scene should be everywhere)
                break
    return pieces
