"""Better boxes for the scenes: public detectors asked at several sizes, mirrored and in pieces.

The lists that come with the scenes were made by one look of each teacher. Small people and
faces need a larger picture, large ones a smaller one, and what two looks agree on is rarely
wrong. What only one look half believes is kept apart as doubtful: it is neither asked for
nor punished in training.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from monitor.domain import Kind, Pixels
from monitor.errors import ConfigError
from monitor.train.detector.scenes import KINDS, Scene

_PERSON, _FACE = KINDS.index(Kind.PERSON), KINDS.index(Kind.FACE)
_FACE_LOOKS: Final = ((256, False), (256, True), (448, False), (448, True), (800, False))
"""Pixels of the longer side that faces are looked for at, and whether mirrored."""
_PIECE: Final = 0.6  # of the picture's sides, for people: four pieces that overlap
_YOLOX_SIDE: Final = 416
_LOOK: Final = {_PERSON: 0.15, _FACE: 0.3}  # what a single look must at least believe
_SURE: Final = {_PERSON: 0.5, _FACE: 0.8}  # a box that one look believes this much is drawn
_AGREED: Final = {_PERSON: 0.3, _FACE: 0.5}  # or two looks this much
_SAME: Final = 0.55  # IoU of two looks at one thing
_KNOWN: Final = 0.4  # IoU with a box that a person drew: nothing new
_EDGE: Final = 2.0  # pixels: a box that ends this near to where a piece was cut is not whole

Boxes = NDArray[np.float32]
"""(N, 5): left, top, right, bottom in pixels, score."""


@dataclass(frozen=True, slots=True, eq=False)
class Teachers:
    """YuNet for faces and YOLOX-nano for people. Owned by one thread.

    Args:
        yunet: OpenCV's face network.
        yolox: COCO's classes, raw outputs, pictures of 416 pixels.
    """

    yunet: cv2.FaceDetectorYN
    yolox: cv2.dnn.Net

    def label(self, scene: Scene) -> Scene:
        """The scene with its faces as drawn, and what the teachers add; people by the teachers."""
        people, maybe_people = _agreed(list(self._people(scene.pixels)), _PERSON)
        new, maybe_faces = _agreed(list(self._faces(scene.pixels)), _FACE)
        drawn = scene.boxes[scene.classes == _FACE]
        new = new[_overlap(new, drawn).max(axis=1, initial=0.0) < _KNOWN]
        maybe_faces = maybe_faces[_overlap(maybe_faces, drawn).max(axis=1, initial=0.0) < _KNOWN]
        faces = np.concatenate([drawn, new])
        bodies = _bodies_of(faces, people)
        return Scene(
            scene.name,
            scene.pixels,
            np.concatenate([people, faces]),
            np.repeat([_PERSON, _FACE], [len(people), len(faces)]).astype(np.int64),
            np.concatenate([maybe_people, bodies, maybe_faces]),
            np.repeat([_PERSON, _FACE], [len(maybe_people) + len(bodies), len(maybe_faces)]).astype(
                np.int64
            ),
        )

    def _faces(self, pixels: Pixels) -> Iterator[Boxes]:
        high, wide = pixels.shape[:2]
        for side, mirrored in _FACE_LOOKS:
            scale = side / max(high, wide)
            size = (max(round(wide * scale), 1), max(round(high * scale), 1))
            shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            self.yunet.setInputSize(size)
            _, rows = self.yunet.detect(cv2.flip(shown, 1) if mirrored else shown)
            boxes = _corners(rows)
            if mirrored:
                boxes[:, [0, 2]] = size[0] - boxes[:, [2, 0]]
            boxes[:, :4] *= np.array([wide / size[0], high / size[1]] * 2, np.float32)
            yield boxes[boxes[:, 4] >= _LOOK[_FACE]]

    def _people(self, pixels: Pixels) -> Iterator[Boxes]:
        high, wide = pixels.shape[:2]
        w, h = int(wide * _PIECE), int(high * _PIECE)
        whole = (0, 0, wide, high)
        looks = [(whole, False), (whole, True)]
        looks += [((x, y, x + w, y + h), False) for x in (0, wide - w) for y in (0, high - h)]
        for (left, top, right, bottom), mirrored in looks:
            piece = pixels[top:bottom, left:right]
            boxes = self.people(piece[:, ::-1] if mirrored else piece)
            if mirrored:
                boxes[:, [0, 2]] = (right - left) - boxes[:, [2, 0]]
            inner = (
                ((left == 0) | (boxes[:, 0] > _EDGE))
                & ((top == 0) | (boxes[:, 1] > _EDGE))
                & ((right == wide) | (boxes[:, 2] < right - left - _EDGE))
                & ((bottom == high) | (boxes[:, 3] < bottom - top - _EDGE))
            )
            boxes[:, :4] += np.array([left, top, left, top], np.float32)
            yield boxes[inner]

    def people(self, pixels: Pixels) -> Boxes:
        """People in one picture, in its pixels.

        Source:
            Ge et al., "YOLOX: Exceeding YOLO Series in 2021": centres are offsets from grid
            cells, sizes logarithms, both in strides.
        """
        high, wide = pixels.shape[:2]
        scale = _YOLOX_SIDE / max(high, wide)
        size = (max(round(wide * scale), 1), max(round(high * scale), 1))
        sheet = np.full((_YOLOX_SIDE, _YOLOX_SIDE, 3), 114, np.uint8)
        sheet[: size[1], : size[0]] = cv2.resize(
            np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_LINEAR
        )
        self.yolox.setInput(sheet.transpose(2, 0, 1)[None].astype(np.float32))
        rows = np.asarray(self.yolox.forward(), np.float32)[0]
        score = rows[:, 4] * rows[:, 5]
        keep = score >= _LOOK[_PERSON]
        grid, stride = _grid()
        centre = (rows[keep, :2] + grid[keep]) * stride[keep]
        half = np.exp(rows[keep, 2:4]) * stride[keep] / 2
        boxes = np.concatenate([centre - half, centre + half], 1) / scale
        boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, wide)
        boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, high)
        found = np.concatenate([boxes, score[keep, None]], 1).astype(np.float32)
        return found[_best_of_each(found, _SAME)]


def open_teachers(folder: Path) -> Teachers:
    """Load ``yunet_n_dynamic.onnx`` and ``yolox_nano.onnx``.

    Raises:
        ConfigError: One of them is missing or unreadable.
    """
    faces, people = folder / "yunet_n_dynamic.onnx", folder / "yolox_nano.onnx"
    for path in (faces, people):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; name the folder with the teachers' weights")
    try:
        yunet = cv2.FaceDetectorYN.create(str(faces), "", (320, 320), min(_LOOK.values()), 0.45)
        return Teachers(yunet, cv2.dnn.readNetFromONNX(str(people)))
    except cv2.error as error:
        raise ConfigError(f"{folder}: teachers cannot be loaded; fetch them again") from error


def write_labels(scenes: Sequence[Scene], path: Path) -> None:
    """Keep what the teachers said: file, kind, sure (1 or 0), left, top, right, bottom."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        for scene in scenes:
            for sure, boxes, kinds in (
                (1, scene.boxes, scene.classes),
                (0, scene.doubtful, scene.doubtful_classes),
            ):
                for box, kind in zip(boxes.tolist(), kinds.tolist(), strict=True):
                    edges = [round(edge, 1) for edge in box]
                    rows.writerow([scene.name, KINDS[kind].value, sure, *edges])
    fresh.replace(path)


def with_labels(scenes: Sequence[Scene], path: Path) -> list[Scene]:
    """The scenes with the boxes that ``write_labels`` kept; others keep their own."""
    kept: dict[tuple[str, int], list[tuple[int, list[float]]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for name, kind, sure, *edges in csv.reader(file):
            row = (KINDS.index(Kind(kind)), [float(edge) for edge in edges])
            kept.setdefault((name, int(sure)), []).append(row)
    named = {name for name, _ in kept}
    labelled = []
    for scene in scenes:
        if scene.name not in named:
            labelled.append(scene)
            continue
        boxes, classes = _arrays(kept.get((scene.name, 1), []))
        doubtful, doubtful_classes = _arrays(kept.get((scene.name, 0), []))
        labelled.append(Scene(scene.name, scene.pixels, boxes, classes, doubtful, doubtful_classes))
    return labelled


def _arrays(
    rows: Sequence[tuple[int, list[float]]],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (N, 4) and classes (N,)."""
    return (
        np.array([edges for _, edges in rows], np.float32).reshape(-1, 4),
        np.array([kind for kind, _ in rows], np.int64),
    )


def _agreed(looks: Sequence[Boxes], kind: int) -> tuple[Boxes, Boxes]:
    """Boxes (N, 4) that are sure, and those that are doubtful, of several looks at one picture."""
    owner = np.repeat(np.arange(len(looks)), [len(look) for look in looks])
    boxes = np.concatenate(looks)
    order = np.argsort(-boxes[:, 4], kind="stable")
    boxes, owner = boxes[order], owner[order]
    sure: list[Boxes] = []
    doubtful: list[Boxes] = []
    left = np.ones(len(boxes), np.bool_)
    alike = _overlap(boxes, boxes[:, :4]) >= _SAME
    for first in range(len(boxes)):
        if not left[first]:
            continue
        group = left & alike[first]
        left &= ~group
        weight = boxes[group, 4:]
        merged = (boxes[group, :4] * weight).sum(axis=0) / weight.sum()
        believers = {
            int(o) for o, s in zip(owner[group], boxes[group, 4], strict=True) if s >= _AGREED[kind]
        }
        known = boxes[first, 4] >= _SURE[kind] or len(believers) > 1
        (sure if known else doubtful).append(merged)
    return (
        np.array(sure, np.float32).reshape(-1, 4),
        np.array(doubtful, np.float32).reshape(-1, 4),
    )


def _bodies_of(faces: Boxes, people: Boxes) -> Boxes:
    """Where the bodies must be of faces that lie in no person's box: (N, 4), doubtful."""
    middle = (faces[:, None, :2] + faces[:, None, 2:]) / 2
    inside = (middle > people[None, :, :2]) & (middle < people[None, :, 2:])
    within: NDArray[np.bool_] = np.logical_and.reduce(inside, axis=2)
    alone = faces[~np.logical_or.reduce(within, axis=1)]
    wide, high = alone[:, 2] - alone[:, 0], alone[:, 3] - alone[:, 1]
    return np.stack(
        [
            alone[:, 0] - wide,
            alone[:, 1] - 0.4 * high,
            alone[:, 2] + wide,
            alone[:, 3] + 3.5 * high,
        ],
        axis=1,
    )


def _overlap(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """(N, M) IoU of boxes (N, 4 or more) and others (M, 4)."""
    a, b = boxes[:, None, :4], others[None]
    sides = np.clip(
        np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None
    )
    shared = sides.prod(axis=2)
    areas = [(x[..., 2:] - x[..., :2]).prod(axis=2) for x in (a, b)]
    ratio: NDArray[np.float32] = shared / np.maximum(areas[0] + areas[1] - shared, 1e-6)
    return ratio


def _best_of_each(boxes: Boxes, limit: float) -> list[int]:
    """Which boxes stay when of two that overlap more than the limit the better one does."""
    order = np.argsort(-boxes[:, 4], kind="stable")
    alike = _overlap(boxes, boxes[:, :4]) > limit
    stay: list[int] = []
    for index in order.tolist():
        if not alike[index, stay].any():
            stay.append(index)
    return stay


def _corners(rows: MatLike | None) -> Boxes:
    """YuNet's (N, 15): left, top, width, height, landmarks, score; None when it found nothing."""
    if rows is None:
        return np.zeros((0, 5), np.float32)
    parts = [rows[:, :2], rows[:, :2] + rows[:, 2:4], rows[:, 14:15]]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _grid() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell (3549, 2) and stride (3549, 1) of each row that YOLOX gives at 416 pixels."""
    cells, strides = [], []
    for stride in (8, 16, 32):
        count = _YOLOX_SIDE // stride
        y, x = np.mgrid[:count, :count]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((count * count, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
