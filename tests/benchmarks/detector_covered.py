"""How surely the embedded detector finds covered heads, beside YuNet.

    python -m tests.benchmarks.detector_covered HELD_OUT HEADS PEERS [--weights FILE] [--most N]

First the held-out scenes with every face of 20 pixels or more covered, as the training covers
them, but with coverings drawn from another seed. Then the real balaclavas of the judge's dev
crops, pasted into plain pictures so that the face is 24, 48 or 96 pixels high.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from monitor.detect import Detector
from monitor.detect.yolo import Yolo
from monitor.detect.yunet import YuNet
from monitor.domain import Frame, Kind, Pixels
from monitor.evaluate.judge_report import wilson
from monitor.geometry import Box
from monitor.train.detector.cover import cover
from tests.benchmarks.detector import EMBEDDED, frame, read, say

SEED = 20_000
IOU = 0.3
HEIGHTS = (24, 48, 96)
SHARE = 1 / 1.5  # of a head crop's side that the face takes up
OURS, THEIRS = (416, 640), 640
MIN_SCORE = {"ours": 0.35, "yunet": 0.5}


def hits(detector: Detector, one: Frame, boxes: Sequence[Box]) -> list[bool]:
    """Which of these faces are found."""
    seen = [d.box for d in detector.detect([one])[0] if d.kind is Kind.HEAD]
    return [any(box.iou(face) >= IOU for box in seen) for face in boxes]


def covered_scenes(folder: Path, most: int) -> list[tuple[Frame, list[Box]]]:
    """Scenes with every face covered that counts."""
    frames, wanted, _ = read(folder, most)
    rng = np.random.default_rng(SEED)
    scenes = []
    for name, one in frames.items():
        faces = [box for kind, box in wanted[name] if kind is Kind.HEAD]
        pixels = one.resize(one.width, one.height).copy()
        for box in faces:
            cover(pixels, (box.left, box.top, box.right, box.bottom), [], rng)
        scenes.append((frame(pixels), faces))
    return scenes


def pasted(crop: Pixels, height: int, rng: np.random.Generator) -> tuple[Frame, Box]:
    """A head crop in a plain picture of 640x480, shaded from top to bottom."""
    shade = np.linspace(rng.uniform(60, 200), rng.uniform(60, 200), 480)[:, None, None]
    scene = np.broadcast_to(shade, (480, 640, 3)).astype(np.uint8).copy()
    side = round(height / SHARE)
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    x, y = int(rng.integers(0, 640 - side)), int(rng.integers(0, 480 - side))
    scene[y : y + side, x : x + side] = small
    edge = (side - height) / 2
    return frame(scene), Box(x + edge, y + edge, x + side - edge, y + side - edge)


def share(name: str, hits: int, count: int) -> None:
    """Print a share with its 95 % interval."""
    low, high = wilson(hits, count)
    say(f"{name:<44} {hits:5d} of {count:5d}  {hits / count:.3f} ({low:.3f} to {high:.3f})")


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("held_out", type=Path)
    options.add_argument("heads", type=Path)
    options.add_argument("peers", type=Path)
    options.add_argument("--weights", type=Path, default=EMBEDDED)
    options.add_argument("--most", type=int, default=10**6)
    given = options.parse_args()
    yunet = given.peers / "yunet_n_dynamic.onnx"
    detectors: dict[str, Detector] = {
        f"ours {px}": Yolo(
            given.weights, input_px=px, min_scores=dict.fromkeys(Kind, MIN_SCORE["ours"])
        )
        for px in OURS
    } | {f"YuNet {THEIRS}": YuNet(yunet, MIN_SCORE["yunet"], input_px=THEIRS)}
    scenes = covered_scenes(given.held_out, given.most)
    with (given.heads / "labels.csv").open(newline="", encoding="utf-8") as file:
        crops = [
            np.asarray(cv2.imread(str(given.heads / row["file"])), np.uint8)
            for row in csv.DictReader(file)
            if row["split"] == "dev" and row["label"] == "balaclava"
        ][: given.most]
    for name, detector in detectors.items():
        seen = [found for one, faces in scenes for found in hits(detector, one, faces)]
        share(f"{name}, covered faces in scenes", sum(seen), len(seen))
        for height in HEIGHTS:
            rng = np.random.default_rng(SEED)
            shown = [pasted(crop, height, rng) for crop in crops]
            found = [hits(detector, one, [box])[0] for one, box in shown]
            share(f"{name}, real balaclavas at {height} px", sum(found), len(found))


if __name__ == "__main__":
    main()
