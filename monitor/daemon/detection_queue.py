"""Detecting on threads beside the analyst's, so that it can follow people meanwhile."""

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

LEAVE_S = 5.0  # what a call of the detector gets to end in; less than all of the program gets

Fresh: TypeAlias = Callable[[Collection[CameraId]], Sequence[Frame]]


class DetectionQueue:
    """Has a few batches at the detector. Owned by one thread; leaving the block ends it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.most = count_parallel_requests()  # batches at the detector side by side
        self._pool = DaemonPool(self.most, "detect")
        self._coming: deque[tuple[Batch, Future[DetectedBatch]]] = deque()

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
        """Whose frames are at the detector."""
        return {frame.camera for batch, _ in self._coming for frame in batch.frames}

    def fill(self, fresh: Fresh, but: Sequence[Frame] = ()) -> None:
        """Give the detector all that it can have.

        Args:
            fresh: Gives frames of any cameras but those that it is told.
            but: Those that are to be followed first; a camera's frames follow one another.
        """
        first = {frame.camera for frame in but}
        while len(self._coming) < self.most and (frames := fresh(self.cameras | first)):
            batch = self._pipeline.select_frames(frames)
            self._coming.append(
                (batch, self._pool.submit(partial(self._pipeline.detect_batch, batch)))
            )

    def take(self) -> DetectedBatch | None:
        """The batch that was begun first, once the detector is done with it; None without one.

        Raises:
            Exception: Whatever the detector raised.
        """
        return self._coming.popleft()[1].result() if self._coming else None
