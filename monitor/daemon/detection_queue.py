"""Runs the detector on other threads, so that the analyst can track people meanwhile."""

import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from monitor.domain import CameraId, Frame
from monitor.pipeline import Batch, DetectedBatch, Pipeline
from monitor.runtime.openvino_runtime import count_parallel_requests
from monitor.runtime.pool import DaemonPool

log = logging.getLogger(__name__)

LEAVE_S = 5.0  # for running detector calls to end; less than the program's GRACE_S

TakeFrames: TypeAlias = Callable[[Collection[CameraId]], Sequence[Frame]]


class DetectionQueue:
    """Keeps a few batches at the detector. Owned by one thread; leaving the block ends it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.max_batches = count_parallel_requests()  # at the detector at the same time
        self._pool = DaemonPool(self.max_batches, "detect")
        self._batches: deque[tuple[Batch, Future[DetectedBatch]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._pool.close(LEAVE_S):
            log.error("the detector is still at work after %.0f s; left behind", LEAVE_S)

    @property
    def cameras(self) -> set[CameraId]:
        """The cameras with a frame at the detector."""
        return {frame.camera for batch, _ in self._batches for frame in batch.frames}

    def fill(self, take_frames: TakeFrames, exclude: Sequence[Frame] = ()) -> None:
        """Give the detector batches until it has ``max_batches``.

        Args:
            take_frames: Gives frames of all cameras except the given ones.
            exclude: Frames still to be tracked: a camera's frames are tracked in order.
        """
        waiting = {frame.camera for frame in exclude}
        while len(self._batches) < self.max_batches and (
            frames := take_frames(self.cameras | waiting)
        ):
            batch = self._pipeline.select_frames(frames)
            self._batches.append(
                (batch, self._pool.submit(partial(self._pipeline.detect_batch, batch)))
            )

    def take(self) -> DetectedBatch | None:
        """The oldest batch, after waiting for the detector; None if there is no batch.

        Raises:
            Exception: Whatever the detector raised.
        """
        return self._batches.popleft()[1].result() if self._batches else None
