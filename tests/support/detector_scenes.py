"""Made-up pictures with boxes, and tiny checkpoints of ultralytics, for the detector's training."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.domain import Pixels
from monitor.train.detector.scenes import KINDS, Scene
from monitor.train.detector.settings import TrainDetectorConfig

RED = (0, 0, 255)


def street(seed: int, side: int = 96) -> Pixels:
    """A picture of coarse noise, different for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 120, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def scene(name: str, seed: int) -> Scene:
    """A red person with a head, somewhere in a street."""
    pixels = street(seed)
    left, top = (seed * 7) % 40 + 4, (seed * 5) % 20 + 4
    cv2.ellipse(pixels, (left + 12, top + 30), (11, 29), 0, 0, 360, RED, -1)
    boxes = [[left, top, left + 24, top + 60], [left + 4, top + 2, left + 20, top + 22]]
    return Scene(name, pixels, np.array(boxes, np.float32), np.array([0, 1], np.int64))


def write_scenes(folder: Path, count: int = 12) -> None:
    """Scenes as pictures, and their table ``boxes.csv``."""
    lines = ["file,kind,labelled_by,x0,y0,x1,y1,score"]
    for number in range(count):
        one = scene(f"s{number:02}.png", number)
        cv2.imwrite(str(folder / one.name), one.pixels)
        for box, kind in zip(one.boxes.tolist(), one.classes.tolist(), strict=True):
            lines.append(f"{one.name},{KINDS[kind]},human,{','.join(map(str, box))},1.0")
    (folder / "boxes.csv").write_text("\n".join(lines))


def make_config(scenes: Path, out: Path, **changes: object) -> TrainDetectorConfig:
    """Settings of a training of two steps at 64 pixels, exported in float32."""
    settings = {
        "sources": [{"folder": scenes}],
        "out": out,
        "phases": [{"until": 1, "input_px": 64}],
        "pictures": 4,
        "batch": 2,
        "int8": False,
    }
    return TrainDetectorConfig.model_validate(settings | changes)


def save_model(path: Path, *, poses: bool, bias: float | None = None) -> Path:
    """Save a yolo11n with random weights that knows persons, of boxes or of poses.

    Args:
        path: A ``.pt`` file.
        poses: Whether it gives 17 keypoints, too.
        bias: Added to the scores' logits; as built, next to nothing is found.
    """
    open_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel, PoseModel

    torch.manual_seed(5)
    model: Any
    if poses:
        model = PoseModel("yolo11n-pose.yaml", ch=3, nc=1, data_kpt_shape=(17, 3), verbose=False)
        model.names = {0: "person"}
    else:
        model = DetectionModel("yolo11n.yaml", ch=3, nc=3, verbose=False)
        model.names = {0: "cat", 1: "person", 2: "dog"}
    if bias is not None:
        for branch in model.model[-1].cv3:
            torch.nn.init.constant_(branch[-1].bias, bias)
    model.eval()
    settings = {"task": "pose" if poses else "detect"}
    torch.save({"model": model.half(), "ema": None, "train_args": settings}, path)
    return path
