"""Identities that the trackers keep, on clips whose people were followed by eye.

    python -m tests.benchmarks.tracking tests/benchmarks/tracks VIDEO...

The first folder has one for each video, named like the file without its ending, with a
``gt.txt`` in the format of the MOT Challenge: frame, id, x, y, width, height, 1, class, 1.
Frames count from 1, at 5 a second as a replay analyses them. Class 1 is a person; class 8 is
not scored.

Each video is played to its last frame in ``gt.txt``. All trackers get the same detections, of
the embedded detector: the daemon's tracker, the same without memory of lost people (ByteTrack
alone), and ultralytics' ByteTrack with its own settings. The figures are those of the
``trackers`` library over all videos; people count at an IoU of 0.5.
"""

import argparse
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import numpy as np
from trackers.eval import BenchmarkResult, evaluate_mot_sequences

from monitor.build import build_detector
from monitor.config.schema import EmbeddedDetector, Tracking
from monitor.detect.ultralytics_runtime import open_ultralytics
from monitor.domain import CameraId, Detection, Frame, Kind, Subject
from monitor.geometry import Box
from monitor.ingest.file import FileVideo
from monitor.runtime.clock import RecordingClock
from monitor.track.bodies import guess_outline
from monitor.track.bytetrack import BodyTracker
from tests.benchmarks.detector import say

FPS: Final = 5.0
CAMERA: Final = CameraId("benchmark")

Tracked: TypeAlias = list[tuple[int, Box]]
"""Ids and boxes in one frame."""
Track: TypeAlias = Callable[[Frame, Sequence[Detection]], Tracked]
"""Follows the people of one video, frame by frame."""
Clip: TypeAlias = list[tuple[Frame, list[Detection]]]


def make_body_tracker(settings: Tracking) -> Track:
    """The daemon's tracker."""
    tracker = BodyTracker(CAMERA, settings)

    def track(frame: Frame, detections: Sequence[Detection]) -> Tracked:
        subjects = tracker.update(frame, detections)
        return [(int(subject.id), find_outline(subject, frame)) for subject in subjects]

    return track


def find_outline(subject: Subject, frame: Frame) -> Box:
    """The box of a person, guessed from the head if only that was found."""
    if subject.person is not None:
        return subject.person
    assert subject.head is not None  # one of them was found
    return guess_outline(subject.head).clip(frame.width, frame.height)


def make_ultralytics_tracker() -> Track:
    """ByteTrack as in ``yolo track``."""
    open_ultralytics()
    from ultralytics.engine.results import Boxes
    from ultralytics.trackers.byte_tracker import BYTETracker
    from ultralytics.utils import ROOT, YAML, IterableSimpleNamespace

    settings = YAML.load(ROOT / "cfg" / "trackers" / "bytetrack.yaml")
    tracker = BYTETracker(IterableSimpleNamespace(**settings))

    def track(frame: Frame, detections: Sequence[Detection]) -> Tracked:
        people = [[*d.box.edges, d.score, 0.0] for d in detections if d.kind is Kind.PERSON]
        boxes = np.array(people, np.float32).reshape(-1, 6)  # edges, score, class
        found = tracker.update(Boxes(boxes, (frame.height, frame.width))).tolist()
        return [(int(row[4]), Box(*row[:4])) for row in found]

    return track


TRACKERS: Final[dict[str, Callable[[], Track]]] = {
    "ours": lambda: make_body_tracker(Tracking()),
    "ByteTrack alone": lambda: make_body_tracker(Tracking(remember_s=0)),
    "ultralytics ByteTrack": make_ultralytics_tracker,
}


def read_clips(truth: Path, videos: Iterable[Path]) -> dict[str, Clip]:
    """The frames of each video that have ground truth, and what is detected in them."""
    detector = build_detector(EmbeddedDetector())
    clips: dict[str, Clip] = {}
    for video in videos:
        lines = (truth / video.stem / "gt.txt").read_text("utf-8").splitlines()
        count = max(int(line.split(",")[0]) for line in lines)
        clock = RecordingClock()
        source = FileVideo(CAMERA, video, analysis_fps=FPS, paced=False, clock=clock)
        with source.open() as frames:
            clips[video.stem] = [(f, detector.detect([f])[0]) for f in islice(frames, count)]
    return clips


def write_tracks(path: Path, clip: Clip, track: Track) -> None:
    """Track the people of a clip, and write them in the format of the MOT Challenge."""
    lines = []
    for number, (frame, detections) in enumerate(clip, start=1):
        for identity, box in track(frame, detections):
            edges = f"{box.left:.1f},{box.top:.1f},{box.width:.1f},{box.height:.1f}"
            lines.append(f"{number},{identity},{edges},1,1,1\n")
    path.write_text("".join(lines), "utf-8")


def evaluate(truth: Path, clips: dict[str, Clip], make: Callable[[], Track]) -> BenchmarkResult:
    """One tracker's figures on all clips."""
    with TemporaryDirectory() as folder:
        there, found = Path(folder) / "truth", Path(folder) / "found"
        there.mkdir()
        found.mkdir()
        for name, clip in clips.items():
            shutil.copyfile(truth / name / "gt.txt", there / f"{name}.txt")
            write_tracks(found / f"{name}.txt", clip, make())
        return evaluate_mot_sequences(there, found, metrics=["CLEAR", "HOTA", "Identity"])


def main() -> None:
    """Print a row for each tracker."""
    words = argparse.ArgumentParser(prog="python -m tests.benchmarks.tracking")
    words.add_argument("truth", type=Path)
    words.add_argument("videos", type=Path, nargs="+")
    words.add_argument("--each", action="store_true", help="print a table of the videos, too")
    given = words.parse_args()
    clips = read_clips(given.truth, given.videos)
    say(f"{len(clips)} videos, {sum(map(len, clips.values()))} frames")
    columns = ["HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW"]
    say(f"{'':22}" + "".join(f"{column:>8}" for column in columns))
    for name, make in TRACKERS.items():
        result = evaluate(given.truth, clips, make)
        row = result.aggregate.table(columns).splitlines()[-1].split()[1:]
        say(f"{name:22}" + "".join(f"{figure:>8}" for figure in row))
        if given.each:
            say(result.table(columns))


if __name__ == "__main__":
    main()
