"""Following people while the detector looks at the next frames: in order, and never too many."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.daemon.detection_queue import DetectionQueue
from monitor.domain import CameraId, Detection, Frame
from tests.support.fakes import BrokenDetector, moment
from tests.support.pipelines import CAMERAS, PICTURE, Boxes, pipeline_of


class SlowDetector:
    """Finds nothing, as soon as it is let; says how many batches are with it."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked = threading.Semaphore(0)

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.asked.release()
        assert self.let.wait(30)
        return [[] for _ in frames]


def test_batches_come_back_as_they_were_begun_and_no_frame_is_lost(tmp_path: Path) -> None:
    detector, boxes = SlowDetector(), Boxes()
    detector.let.set()
    seen: list[CameraId] = []
    with DetectionQueue(pipeline_of(tmp_path, detector)) as queue:
        queue.fill(boxes.newest)
        while (taken := queue.take()) is not None:
            seen.extend(frame.camera for frame in taken.batch.frames)
            queue.fill(boxes.newest)
        assert not queue.cameras
    assert seen == CAMERAS


def test_all_that_may_be_at_the_detector_are_there_at_once(tmp_path: Path) -> None:
    detector, boxes = SlowDetector(), Boxes()
    with DetectionQueue(pipeline_of(tmp_path, detector)) as queue:
        queue.fill(boxes.newest)
        for _ in range(queue.max_batches):
            assert detector.asked.acquire(timeout=30)
        assert len(boxes.frames) == len(CAMERAS) - 2 * queue.max_batches
        detector.let.set()


def test_a_cameras_frame_waits_until_the_one_before_was_followed(tmp_path: Path) -> None:
    detector, boxes = SlowDetector(), Boxes()
    with DetectionQueue(pipeline_of(tmp_path, detector)) as queue:
        queue.fill(boxes.newest)
        again = [Frame(CAMERAS[0], 1, moment(1), PICTURE, 1.0)]
        boxes.frames = list(again)
        detector.let.set()
        seen = queue.take()
        assert seen is not None
        queue.fill(boxes.newest, exclude=seen.batch.frames)
        assert boxes.frames == again
        while queue.take() is not None:
            pass
        queue.fill(boxes.newest)
        assert not boxes.frames


def test_a_detector_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    with DetectionQueue(pipeline_of(tmp_path, BrokenDetector())) as queue:
        queue.fill(Boxes().newest)
        with pytest.raises(RuntimeError, match="cannot look at 2"):
            queue.take()
