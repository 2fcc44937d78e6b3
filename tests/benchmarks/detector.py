"""The embedded detector beside public ones: what they find, and how long they take.

    python -m tests.benchmarks.detector FOLDER PEERS [--weights FILE] [--px N] [--rounds N]

FOLDER has boxes.csv as `monitor evaluate detector` reads it, and pictures; PEERS holds YuNet,
YOLOX-nano and RFB-640. All in one run, in turn, on the same pictures. People count at an IoU of
0.5, heads of 10 pixels and more at 0.3; faces of peers are widened to heads as in the program.
Times are medians of single pictures of 1280x720, scaling included, and of a batch of eight.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from monitor.detect import Detector
from monitor.detect.yolo import Yolo
from monitor.detect.yunet import YuNet
from monitor.domain import CameraId, Frame, Kind, Moment, Pixels
from monitor.evaluate.detector import read_boxes
from monitor.evaluate.judge_report import wilson_interval
from monitor.evaluate.scoring import (
    Scored,
    TrueBox,
    compute_average_precision,
    find_recall_at,
    match_detections,
)
from monitor.ingest.frames.picture import ArrayPicture
from tests.benchmarks.detector_peers import Rfb640, YoloxNano

WIDE = dict.fromkeys(Kind, 0.01)
IOU = {Kind.PERSON: 0.5, Kind.HEAD: 0.3}
MIN_HEAD_PX = 10.0
SIZES = (416, 512, 640)
MODELS = Path(__file__).parents[2] / "models" / "detector"
EMBEDDED = MODELS / "monitor-detector.xml"
PICTURES = (".jpg", ".png")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def make_frame(pixels: Pixels) -> Frame:
    """A picture of no particular time."""
    moment = Moment(0.0, datetime(2000, 1, 1, tzinfo=UTC))
    return Frame(CameraId("benchmark"), 0, moment, ArrayPicture(pixels), decode_ms=0.0)


def read_pictures(folder: Path) -> tuple[dict[str, Frame], dict[str, list[TrueBox]]]:
    """All pictures of a folder, and their boxes; small heads are hard."""
    listed = read_boxes(folder / "boxes.csv")
    names = sorted(path.name for path in folder.iterdir() if path.suffix in PICTURES)
    truth = {name: [_spare_small(box) for box in listed.get(name, [])] for name in names}
    frames = {
        name: make_frame(np.asarray(cv2.imread(str(folder / name)), np.uint8)) for name in names
    }
    return frames, truth


def _spare_small(true: TrueBox) -> TrueBox:
    small = true.kind is Kind.HEAD and min(true.box.width, true.box.height) < MIN_HEAD_PX
    return replace(true, hard=true.hard or small)


def print_accuracy(
    name: str,
    detector: Detector,
    frames: Mapping[str, Frame],
    truth: Mapping[str, Sequence[TrueBox]],
) -> None:
    """What a detector finds of each kind."""
    found = {key: detector.detect([frame])[0] for key, frame in frames.items()}
    for kind in Kind:
        scored = match_detections(truth, found, kind, iou=IOU[kind])
        if scored.right.any():
            say(f"{name:<22} {kind:<7} {_figures(scored, round(100 * IOU[kind]))}")


def _figures(scored: Scored, overlap: int) -> str:
    shares = []
    for precision in (0.9, 0.85):
        recall = find_recall_at(scored, precision) or 0.0
        low, high = wilson_interval(round(recall * scored.boxes), scored.boxes)
        shares.append(f"recall at {precision}: {recall:.3f} ({low:.3f} to {high:.3f})")
    ap = compute_average_precision(scored) or 0.0
    return f"{scored.boxes:5d} boxes  AP{overlap} {ap:.3f}  {'  '.join(shares)}"


def print_speed(name: str, detector: Detector, rounds: int) -> None:
    """The time per picture, alone and in a batch of eight."""
    noise = np.random.default_rng(0).integers(0, 255, (9, 16, 3)).astype(np.uint8)
    frame = make_frame(cv2.resize(noise, (1280, 720)).astype(np.uint8))
    times = {}
    for count in (1, 8):
        detector.detect([frame] * count)
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            detector.detect([frame] * count)
            taken.append((time.perf_counter() - started) * 1000 / count)
        times[count] = statistics.median(taken)
    say(f"{name:<22} {times[1]:6.1f} ms alone  {times[8]:6.1f} ms in eight")


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("peers", type=Path)
    options.add_argument("--weights", type=Path, default=EMBEDDED)
    options.add_argument("--px", type=int, action="append")
    options.add_argument("--rounds", type=int, default=30)
    given = options.parse_args()
    ours: dict[str, Detector] = {
        f"ours {px}": Yolo(given.weights, input_px=px, min_scores=WIDE) for px in given.px or SIZES
    }
    yunet = given.peers / "yunet_n_dynamic.onnx"
    peers: dict[str, Detector] = {
        "YuNet 640": YuNet(yunet, 0.01, input_px=640),
        "RFB-640 masked": Rfb640(given.peers),
        "YOLOX-nano 416": YoloxNano(given.peers),
    }
    frames, truth = read_pictures(given.folder)
    for name, detector in (ours | peers).items():
        print_accuracy(name, detector, frames, truth)
    torch = MODELS / "monitor-detector.pt"
    if given.rounds and torch.is_file():
        px = (given.px or SIZES)[-1]
        ours[f"ours {px}, torch"] = Yolo(torch, input_px=px, min_scores=WIDE)
    for name, detector in (ours | peers).items() if given.rounds else ():
        print_speed(name, detector, given.rounds)


if __name__ == "__main__":
    main()
