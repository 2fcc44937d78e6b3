"""What the program must know about its detector: the file, the size, the thresholds."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from monitor.detect import Detector
from monitor.detect.yolo import Yolo
from monitor.domain import CameraId, Detection, Frame, Kind, Moment
from monitor.evaluate.detector import Scored, score
from monitor.geometry import Box
from monitor.ingest.picture import ArrayPicture
from monitor.train.detector_scenes import KINDS, Scene

_MOMENT = Moment(0.0, datetime(2000, 1, 1, tzinfo=UTC))
_ASKED_AT = 0.02  # low enough that every threshold worth having can be tried
_GRID = np.arange(0.1, 0.9, 0.05)
_IOU = 0.5


def write_profile(weights: Path, held: Sequence[Scene], *, input_px: int, version: str) -> Path:
    """Choose the thresholds on scenes that were not trained on, and write ``detector.json``.

    Args:
        weights: The trained checkpoint; the profile goes beside it.
        held: At least one scene.
        input_px: The longer side that frames are to be scaled to at run time.
        version: Of the weights, for people.

    Raises:
        ConfigError: The weights cannot be loaded.
    """
    asked = dict.fromkeys(Kind, _ASKED_AT)
    chosen = thresholds(Yolo(weights, input_px=input_px, min_scores=asked), held)
    profile = {
        "name": weights.stem,
        "version": version,
        "weights": weights.name,
        "input_px": input_px,
        "min_scores": {kind.value: chosen[kind] for kind in KINDS},
    }
    path = weights.with_name("detector.json")
    path.write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")
    return path


def thresholds(detector: Detector, held: Sequence[Scene]) -> dict[Kind, float]:
    """For each kind the threshold with the highest F1 at an overlap of one half."""
    truth: dict[str, list[tuple[Kind, Box]]] = {}
    found: dict[str, list[Detection]] = {}
    for number, scene in enumerate(held):
        picture = ArrayPicture(scene.pixels)
        frame = Frame(CameraId("held-out"), number, _MOMENT, picture, decode_ms=0.0)
        (found[scene.name],) = detector.detect([frame])
        truth[scene.name] = [
            (KINDS[kind], Box(*edges))
            for edges, kind in zip(scene.boxes.tolist(), scene.classes.tolist(), strict=True)
        ]
    return {kind: _best(score(truth, found, kind, iou=_IOU)) for kind in Kind}


def _best(scored: Scored) -> float:
    """The threshold of the grid with the highest F1; the lowest of equals."""
    right = np.array([scored.right[scored.scores >= limit].sum() for limit in _GRID])
    count = np.array([(scored.scores >= limit).sum() for limit in _GRID])
    f1 = 2 * right / np.maximum(count + scored.boxes, 1)
    return round(float(_GRID[int(f1.argmax())]), 2)
