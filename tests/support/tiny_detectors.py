"""Small YOLO models with random weights, and pictures for them."""

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253  (the tests train a model)

from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.domain import CameraId, Frame, Kind, Moment
from monitor.ingest.frames.picture import ArrayPicture

MOMENT = Moment(0.0, datetime(2026, 1, 2, tzinfo=UTC))
EVERYTHING = {Kind.PERSON: 0.3, Kind.HEAD: 0.3}
TINY: dict[str, Any] = {
    "yaml_file": "tiny.yaml",
    "nc": 2,
    "reg_max": 4,
    "depth_multiple": 1.0,
    "width_multiple": 1.0,
    "backbone": [
        [-1, 1, "Conv", [8, 3, 2]],
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "Conv", [24, 3, 2]],
        [-1, 1, "Conv", [24, 3, 2]],
    ],
    "head": [[[2, 3, 4], 1, "Detect", ["nc"]]],
}


def draw_rectangles(width: int, height: int, *boxes: tuple[int, int, int, int]) -> Frame:
    """A dark picture with bright rectangles: wide ones are blue, tall ones red."""
    pixels = np.full((height, width, 3), 60, np.uint8)
    for left, top, right, bottom in boxes:
        tall = bottom - top > right - left
        pixels[top:bottom, left:right] = (40, 40, 250) if tall else (250, 160, 40)
    return Frame(CameraId("yard"), 0, MOMENT, ArrayPicture(pixels), decode_ms=0.0)


def save_checkpoint(model: torch.nn.Module, path: Path, names: dict[int, str]) -> Path:
    """Write a checkpoint as ultralytics does."""
    model.names = names
    model.criterion = None
    torch.save({"model": model.half(), "train_args": {}}, path)
    model.float()
    return path


def build_tiny_model() -> torch.nn.Module:
    """A YOLO for two classes with random weights, the same each time."""
    open_ultralytics()
    from ultralytics.cfg import get_cfg  # allowed once it is open
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel(deepcopy(TINY), ch=3, nc=2, verbose=False)
    model.args = get_cfg(overrides={"task": "detect"})
    return model
