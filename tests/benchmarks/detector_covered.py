"""How surely the embedded detector finds covered heads, beside YuNet.

    python -m tests.benchmarks.detector_covered HELD_OUT HEADS PEERS [--weights FILE] [--px N]

First the held-out scenes with every face of 20 pixels or more covered, as the training covers
them, but with coverings drawn from another seed. Then the real balaclavas of the judge's dev
crops, pasted into plain pictures so that the face is 24, 48 or 96 pixels high. A head counts as
found from an IoU of 0.3 on, at the detector's own threshold.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from monitor.detect import Detector
from monitor.detect.yolo import Yolo
from monitor.detect.yunet import YuNet
from monitor.domain import Frame, Kind, Pixels
from monitor.domain.framing import head_around_face
from monitor.evaluate.judge_report import wilson_interval
from monitor.geometry import Box
from monitor.train.detector.cover import cover
from tests.benchmarks.detector import EMBEDDED, MODELS, make_frame, say

SEED = 20_000
IOU = 0.3
HEIGHTS = (24, 48, 96)
FACE_SHARE = 1 / 1.5  # of a head crop's side
SIZES = (416, 512, 640)
MIN_FACE_PX = 20.0
YUNET_SCORE = 0.5


def match_heads(detector: Detector, frame: Frame, heads: Sequence[Box]) -> list[bool]:
    """Which of these heads are found."""
    seen = [d.box for d in detector.detect([frame])[0] if d.kind is Kind.HEAD]
    return [any(box.iou(head) >= IOU for box in seen) for head in heads]


def cover_scenes(folder: Path) -> list[tuple[Frame, list[Box]]]:
    """Scenes with every face covered that people drew and that is large enough."""
    faces: dict[str, list[Box]] = {}
    with (folder / "boxes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = Box(*(float(row[edge]) for edge in ("x0", "y0", "x1", "y1")))
            drawn = row.get("labelled_by", "human") == "human"
            if row["kind"] == "face" and drawn and box.longer_side >= MIN_FACE_PX:
                faces.setdefault(row["file"], []).append(box)
    rng = np.random.default_rng(SEED)
    scenes = []
    for name, boxes in sorted(faces.items()):
        pixels = np.asarray(cv2.imread(str(folder / name)), np.uint8)
        for box in boxes:
            cover(pixels, box.edges, [], rng)
        heads = [head_around_face(box).clip(*pixels.shape[1::-1]) for box in boxes]
        scenes.append((make_frame(pixels), heads))
    return scenes


def paste_crop(crop: Pixels, height: int, rng: np.random.Generator) -> tuple[Frame, Box]:
    """A head crop in a plain picture of 640x480, shaded from top to bottom."""
    shade = np.linspace(rng.uniform(60, 200), rng.uniform(60, 200), 480)[:, None, None]
    scene = np.broadcast_to(shade, (480, 640, 3)).astype(np.uint8).copy()
    side = round(height / FACE_SHARE)
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    x, y = int(rng.integers(0, 640 - side)), int(rng.integers(0, 480 - side))
    scene[y : y + side, x : x + side] = small
    edge = (side - height) / 2
    face = Box(x + edge, y + edge, x + side - edge, y + side - edge)
    shown = Box(x, y, x + side, y + side)
    head = head_around_face(face)
    inside = Box(
        max(head.left, shown.left),
        max(head.top, shown.top),
        min(head.right, shown.right),
        min(head.bottom, shown.bottom),
    )
    return make_frame(scene), inside


def print_share(name: str, hits: int, count: int) -> None:
    """A share with its 95 % interval."""
    low, high = wilson_interval(hits, count)
    say(f"{name:<44} {hits:5d} of {count:5d}  {hits / count:.3f} ({low:.3f} to {high:.3f})")


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("held_out", type=Path)
    options.add_argument("heads", type=Path)
    options.add_argument("peers", type=Path)
    options.add_argument("--weights", type=Path, default=EMBEDDED)
    options.add_argument("--px", type=int, action="append")
    options.add_argument("--score", type=float)
    given = options.parse_args()
    own = json.loads((MODELS / "detector.json").read_text(encoding="utf-8"))
    least = {Kind.HEAD: given.score or own["min_scores"]["head"]}
    yunet = given.peers / "yunet_n_dynamic.onnx"
    detectors: dict[str, Detector] = {
        f"ours {px}": Yolo(given.weights, input_px=px, min_scores=least) for px in given.px or SIZES
    } | {"YuNet 640": YuNet(yunet, YUNET_SCORE, input_px=640)}
    scenes = cover_scenes(given.held_out)
    with (given.heads / "labels.csv").open(newline="", encoding="utf-8") as file:
        crops = [
            np.asarray(cv2.imread(str(given.heads / row["file"])), np.uint8)
            for row in csv.DictReader(file)
            if row["split"] == "dev" and row["label"] == "balaclava"
        ]
    for name, detector in detectors.items():
        seen = [hit for frame, heads in scenes for hit in match_heads(detector, frame, heads)]
        print_share(f"{name}, covered faces in scenes", sum(seen), len(seen))
        for height in HEIGHTS:
            rng = np.random.default_rng(SEED)
            pasted = [paste_crop(crop, height, rng) for crop in crops]
            found = [match_heads(detector, frame, [head])[0] for frame, head in pasted]
            print_share(f"{name}, real balaclavas at {height} px", sum(found), len(found))


if __name__ == "__main__":
    main()
