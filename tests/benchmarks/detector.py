"""The embedded detector beside public ones: what they find, and how long they take.

    python -m tests.benchmarks.detector HELD_OUT PEERS [--weights FILE] [--most N] [--rounds N]

HELD_OUT is the folder ``held-out`` that a training leaves; faces count that people drew (all
that the list does not call a teacher's) and that are 20 pixels or more. PEERS holds YuNet,
YOLOX-nano and RFB-640. All in one run, in turn, on the same pictures; times are medians of
single pictures of 1280x720, scaling included, and of a batch of eight.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from monitor.detect import Detector
from monitor.detect.engine import EngineName, Precision
from monitor.detect.yolo import Yolo
from monitor.detect.yunet import YuNet
from monitor.domain import CameraId, Detection, Frame, Kind, Moment, Pixels
from monitor.evaluate.judge_report import wilson
from monitor.evaluate.scoring import average_precision, recall_at, score
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from tests.benchmarks.detector_peers import Rfb640, YoloxNano

WIDE = dict.fromkeys(Kind, 0.01)
SIZES = (320, 416, 640)
WAYS: dict[str, tuple[EngineName, Precision]] = {
    "fastest": ("auto", "auto"),
    "float32": ("auto", "float32"),
    "torch": ("torch", "auto"),
}
LEAST_PX = 20.0
EMBEDDED = Path(__file__).parents[2] / "models" / "detector" / "monitor-detector.pt"

Truth = dict[str, list[tuple[Kind, Box]]]


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def frame(pixels: Pixels) -> Frame:
    """A picture of no particular time."""
    moment = Moment(0.0, datetime(2000, 1, 1, tzinfo=UTC))
    return Frame(CameraId("benchmark"), 0, moment, ArrayPicture(pixels), decode_ms=0.0)


def read(folder: Path, most: int) -> tuple[dict[str, Frame], Truth, Truth]:
    """Pictures, all boxes, and the faces to ignore: small ones, and those a teacher drew."""
    wanted: Truth = {}
    ignored: Truth = {}
    with (folder / "boxes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["file"] not in wanted and len(wanted) == most:
                break
            kind, box = Kind(row["kind"]), Box(*(float(row[e]) for e in ("x0", "y0", "x1", "y1")))
            small = box.longer_side < LEAST_PX
            taught = row.get("labelled_by", "human") != "human"
            aside = kind is Kind.HEAD and (small or taught)
            wanted.setdefault(row["file"], [])
            (ignored if aside else wanted).setdefault(row["file"], []).append((kind, box))
    frames = {name: frame(np.asarray(cv2.imread(str(folder / name)), np.uint8)) for name in wanted}
    return frames, wanted, ignored


def without(found: Sequence[Detection], ignored: Sequence[tuple[Kind, Box]]) -> list[Detection]:
    """What was found, less what lies on a face that does not count."""
    return [
        one
        for one in found
        if not any(kind is one.kind and one.box.iou(box) >= 0.4 for kind, box in ignored)
    ]


def accuracy(name: str, detector: Detector, folder: Path, most: int) -> None:
    """Print what a detector finds of each kind."""
    frames, wanted, ignored = read(folder, most)
    found = {
        key: without(detector.detect([one])[0], ignored.get(key, [])) for key, one in frames.items()
    }
    for kind in Kind:
        scored = score(wanted, found, kind, iou=0.5)
        if not scored.right.any():
            continue
        ap, recall = average_precision(scored) or 0.0, recall_at(scored, 0.9) or 0.0
        low, high = wilson(round(recall * scored.boxes), scored.boxes)
        say(
            f"{name:<22} {kind:<7} {scored.boxes:5d} boxes  AP50 {ap:.3f}  recall at "
            f"precision 0.9: {recall:.3f} ({low:.3f} to {high:.3f})  at most "
            f"{scored.right.sum() / scored.boxes:.3f}",
        )


def speed(name: str, detector: Detector, rounds: int) -> None:
    """Print the time per picture, alone and in a batch of eight."""
    noise = np.random.default_rng(0).integers(0, 255, (9, 16, 3)).astype(np.uint8)
    one = frame(cv2.resize(noise, (1280, 720)).astype(np.uint8))
    times = {}
    for count in (1, 8):
        detector.detect([one] * count)
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            detector.detect([one] * count)
            taken.append((time.perf_counter() - started) * 1000 / count)
        times[count] = statistics.median(taken)
    say(f"{name:<22} {times[1]:6.1f} ms alone  {times[8]:6.1f} ms in eight")


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("held_out", type=Path)
    options.add_argument("peers", type=Path)
    options.add_argument("--weights", type=Path, default=EMBEDDED)
    options.add_argument("--most", type=int, default=10**6)
    options.add_argument("--rounds", type=int, default=30)
    given = options.parse_args()
    ours: dict[str, Detector] = {
        f"ours {px}, {name}": Yolo(
            given.weights, input_px=px, min_scores=WIDE, engine=engine, precision=precision
        )
        for px in SIZES
        for name, (engine, precision) in WAYS.items()
    }
    yunet = given.peers / "yunet_n_dynamic.onnx"
    peers: dict[str, Detector] = {
        "YuNet 320": YuNet(yunet, 0.01, input_px=320),
        "YuNet 640": YuNet(yunet, 0.01, input_px=640),
        "RFB-640 masked": Rfb640(given.peers),
        "YOLOX-nano 416": YoloxNano(given.peers),
    }
    for name, detector in (ours | peers).items():
        if not name.endswith("torch"):
            accuracy(name, detector, given.held_out, given.most)
    for name, detector in (ours | peers).items():
        speed(name, detector, given.rounds)


if __name__ == "__main__":
    main()
