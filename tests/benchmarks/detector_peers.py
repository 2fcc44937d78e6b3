"""The public detectors that ours is measured beside, as Detectors."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.domain import Detection, Frame, Kind
from monitor.geometry import Box
from monitor.train.detector.teachers import open_teachers

_OVERLAP = 0.45


class YoloxNano:
    """People by YOLOX-nano at 416 pixels, with the decoding that the training's teacher has."""

    def __init__(self, folder: Path) -> None:
        self._teachers = open_teachers(folder)

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        return [self._one(frame) for frame in frames]

    def _one(self, frame: Frame) -> list[Detection]:
        scale = min(416 / max(frame.width, frame.height), 1)
        wide, high = round(frame.width * scale), round(frame.height * scale)
        rows = self._teachers.people(frame.resize(wide, high)).astype(float)
        rows[:, [0, 2]] *= frame.width / wide
        rows[:, [1, 3]] *= frame.height / high
        return _sorted(rows, Kind.PERSON)


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
        sides = np.concatenate([rows[:, :2], rows[:, 2:4] - rows[:, :2]], 1)
        stay = cv2.dnn.NMSBoxes(sides.tolist(), rows[:, 4].tolist(), 0.0, _OVERLAP)
        return _sorted(rows[np.array(stay, np.int64).reshape(-1)], Kind.HEAD)


def _sorted(rows: NDArray[np.float64], kind: Kind) -> list[Detection]:
    """Rows of left, top, right, bottom, score as detections, best first."""
    found = [Detection(kind, Box(*row[:4]), row[4]) for row in rows.tolist()]
    return sorted(found, key=lambda detection: -detection.score)
