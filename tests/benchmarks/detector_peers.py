"""The public detectors that ours is measured beside, as Detectors."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Detection, Frame, Kind
from monitor.domain.framing import head_around_face
from monitor.geometry import Box

_OVERLAP = 0.45
_SIDE = 416
_STRIDES = (8, 16, 32)


class YoloxNano:
    """People by YOLOX-nano at 416 pixels.

    Source:
        Ge et al., "YOLOX: Exceeding YOLO Series in 2021": centres are offsets from grid
        cells, sizes logarithms, both in strides.
    """

    def __init__(self, folder: Path, min_score: float = 0.02) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(folder / "yolox_nano.onnx"))
        self._min_score = min_score

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        return [self._one(frame) for frame in frames]

    def _one(self, frame: Frame) -> list[Detection]:
        scale = _SIDE / max(frame.width, frame.height)
        wide, high = round(frame.width * scale), round(frame.height * scale)
        sheet = np.full((_SIDE, _SIDE, 3), 114, np.uint8)
        sheet[:high, :wide] = frame.resize(wide, high)
        self._net.setInput(sheet.transpose(2, 0, 1)[None].astype(np.float32))
        rows = np.asarray(self._net.forward(), np.float64)[0]
        scores = rows[:, 4] * rows[:, 5]
        keep = scores >= self._min_score
        cells, strides = _grid()
        centres = (rows[keep, :2] + cells[keep]) * strides[keep]
        halves = np.exp(rows[keep, 2:4]) * strides[keep] / 2
        boxes = np.concatenate([centres - halves, centres + halves], 1) / scale
        boxes[:, [0, 2]] = boxes[:, [0, 2]].clip(0, frame.width)
        boxes[:, [1, 3]] = boxes[:, [1, 3]].clip(0, frame.height)
        return _suppress(np.concatenate([boxes, scores[keep, None]], 1), Kind.PERSON)


class Rfb640:
    """Faces, bare or masked, by Ultra-Light-Fast-Generic-Face-Detector's RFB at 640 by 480."""

    def __init__(self, folder: Path, min_score: float = 0.02) -> None:
        self._net = cv2.dnn.readNetFromONNX(str(folder / "RFB-640-masked_face-v2.onnx"))
        self._min_score = min_score

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        return [self._one(frame) for frame in frames]

    def _one(self, frame: Frame) -> list[Detection]:
        picture = cv2.cvtColor(frame.resize(640, 480), cv2.COLOR_BGR2RGB).astype(np.float32)
        self._net.setInput(((picture - 127) / 128).transpose(2, 0, 1)[None])
        outputs = self._net.forward(self._net.getUnconnectedOutLayersNames())
        boxes = next(np.asarray(o)[0] for o in outputs if o.shape[-1] == 4)
        scores = 1 - next(np.asarray(o)[0] for o in outputs if o.shape[-1] != 4)[:, 0]
        keep = scores >= self._min_score
        size = np.array([frame.width, frame.height] * 2)
        rows = np.concatenate([boxes[keep] * size, scores[keep, None]], 1).astype(float)
        faces = _suppress(rows, Kind.HEAD)
        return [Detection(d.kind, head_around_face(d.box), d.score) for d in faces]


def _suppress(rows: NDArray[np.float64], kind: Kind) -> list[Detection]:
    """Rows of left, top, right, bottom, score as detections, best first, each thing once."""
    sides = np.concatenate([rows[:, :2], rows[:, 2:4] - rows[:, :2]], 1)
    stay = cv2.dnn.NMSBoxes(sides.tolist(), rows[:, 4].tolist(), 0.0, _OVERLAP)
    kept = rows[np.array(stay, np.int64).reshape(-1)]
    found = [Detection(kind, Box(*row[:4]), row[4]) for row in kept.tolist()]
    return sorted(found, key=lambda detection: -detection.score)


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell (3549, 2) and stride (3549, 1) of each row that YOLOX gives at 416 pixels."""
    cells, strides = [], []
    for stride in _STRIDES:
        count = _SIDE // stride
        y, x = np.mgrid[:count, :count]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((count * count, 1), stride))
    return np.concatenate(cells).astype(np.float64), np.concatenate(strides).astype(np.float64)
