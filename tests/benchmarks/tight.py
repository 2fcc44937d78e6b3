"""Single pictures that show one head and little else: is its face found, and judged rightly?

    python -m tests.benchmarks.tight HEADS [--scenes SCENES] [--most N]

HEADS holds labels.csv and tight head crops, of which the split ``dev`` is asked, by the path of
``monitor judge`` and the HTTP API; once with the first crop alone, once with the second look
that pictures without a face get. SCENES holds boxes.csv and whole pictures: of the faces that
only a second look finds there, how many did people or teachers draw?
"""

import argparse
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from monitor.build import Models, load_models
from monitor.config.judges import EmbeddedJudgeSettings
from monitor.config.schema import EmbeddedDetector
from monitor.detect import Detector
from monitor.detect.padded_retry import PaddedRetryDetector
from monitor.domain import OCCLUDED, Covering, Detection, Frame, Kind
from monitor.evaluate.judge_report import wilson
from monitor.inference.inference import Inference
from monitor.ingest.frames.picture import ArrayPicture
from monitor.runtime.clock import SystemClock
from tests.benchmarks.detector import frame, read, say

IOU = 0.3


@dataclass(slots=True)
class Noting:
    """A Detector that asks another, and notes what the first look at a picture found."""

    inner: Detector
    first: list[Detection] = field(default_factory=list)
    again: bool = False

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector. One frame at a time."""
        (found,) = self.inner.detect(frames)
        self.again = not isinstance(frames[0].picture, ArrayPicture)
        if not self.again:
            self.first = found
        return [found]


@dataclass(slots=True)
class Given:
    """A Detector that finds given boxes, and nothing more on a second look."""

    found: list[Detection] = field(default_factory=list)

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector."""
        return [self.found if isinstance(one.picture, ArrayPicture) else [] for one in frames]


@dataclass(slots=True)
class Tally:
    """What one way of looking came to."""

    found: Counter[str] = field(default_factory=Counter)  # pictures with a face, by label
    right: int = 0
    alarms: int = 0  # clear faces called occluded, poor pictures included
    judged: int = 0

    def add(self, label: str, told: dict[str, object], shown: int) -> None:
        """Count one picture."""
        self.found[label] += shown > 0
        if label not in {*OCCLUDED, Covering.NONE}:
            return
        probability = told["probability"]
        assert isinstance(probability, float)
        self.judged += 1
        self.right += (probability >= 0.5) == (label != Covering.NONE)
        self.alarms += label == Covering.NONE and bool(told["occluded"])

    def say(self, name: str, asked: Counter[str]) -> None:
        """Print two lines."""
        low, high = wilson(self.right, self.judged)
        faces = ", ".join(f"{label} {self.found[label]} of {n}" for label, n in asked.items())
        say(f"{name}: faces found: {faces}")
        say(
            f"{name}: occluded or not {self.right} of {self.judged} right, "
            f"{self.right / self.judged:.3f} ({low:.3f} to {high:.3f}); "
            f"clear faces called occluded, poor pictures included: {self.alarms}"
        )


def crops(folder: Path, most: int) -> Iterator[tuple[str, ArrayPicture]]:
    """The dev crops, with their labels."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "dev"][:most]
    for row in rows:
        yield (
            row["label"],
            ArrayPicture(np.asarray(cv2.imread(str(folder / row["file"])), np.uint8)),
        )


def told(inference: Inference, picture: ArrayPicture) -> dict[str, object]:
    """The contract's response to one picture."""
    result = inference.judge_picture(picture)["result"]
    assert isinstance(result, dict)
    response: dict[str, object] = result["response"]
    return response


def heads(folder: Path, loaded: Models, most: int) -> None:
    """Ask about the crops, in both ways where there is a difference."""
    crop, given = Noting(loaded.detector), Given()
    # In a hurry, it writes no sentences; the heads of a tight picture fit in one batch.
    inference = Inference(Models(given, loaded.judge, loaded.batch), is_late=lambda: True)
    asked: Counter[str] = Counter()
    once, twice = Tally(), Tally()
    for label, picture in crops(folder, most):
        asked[label] += 1
        (seen,) = PaddedRetryDetector(crop).detect(
            [frame(picture.resize(picture.width, picture.height))]
        )
        given.found = crop.first
        answer = told(inference, picture)
        once.add(label, answer, faces(crop.first))
        given.found = seen
        twice.add(label, told(inference, picture) if crop.again else answer, faces(seen))
    once.say("one look", asked)
    twice.say("two looks", asked)


def faces(found: Sequence[Detection]) -> int:
    """How many faces are among what was found."""
    return sum(one.kind is Kind.FACE for one in found)


def scenes(folder: Path, detector: Detector, most: int) -> None:
    """Count what only the second look finds in whole pictures."""
    frames, wanted, ignored = read(folder, most)
    crop = Noting(detector)
    pictures = new = right = 0
    for name, one in frames.items():
        (seen,) = PaddedRetryDetector(crop).detect([one])
        if not crop.again:
            continue
        pictures += 1
        drawn = [box for kind, box in [*wanted[name], *ignored.get(name, [])] if kind is Kind.FACE]
        found = [d.box for d in seen if d.kind is Kind.FACE]
        new += len(found)
        right += sum(any(box.iou(face) >= IOU for face in drawn) for box in found)
    say(
        f"{len(frames)} whole pictures, {pictures} without a face at first: "
        f"{new} faces by the second look, {right} of them drawn there"
    )


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("heads", type=Path)
    options.add_argument("--scenes", type=Path)
    options.add_argument("--most", type=int, default=10**6)
    given = options.parse_args()
    loaded = load_models(EmbeddedDetector(), EmbeddedJudgeSettings(), SystemClock())
    heads(given.heads, loaded, given.most)
    if given.scenes:
        scenes(given.scenes, loaded.detector, given.most)


if __name__ == "__main__":
    main()
