"""Detecting on threads beside the analyst's, so that it can follow people meanwhile."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeAlias

from monitor.domain import CameraId, Frame
from monitor.pipeline import Batch, Pipeline, Seen
from monitor.runtime.openvino_door import lanes

Fresh: TypeAlias = Callable[[Collection[CameraId]], Sequence[Frame]]


class Overlap:
    """Has a few batches at the detector. Owned by one thread; leaving the block ends it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.most = lanes()  # batches at the detector side by side
        self._pool = ThreadPoolExecutor(self.most, "detect")
        self._coming: deque[tuple[Batch, Future[Seen]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether a batch is at the detector."""
        return bool(self._coming)

    def fill(self, fresh: Fresh, but: Sequence[Frame] = ()) -> None:
        """Give the detector all that it can have.

        Args:
            fresh: Gives frames of any cameras but those that it is told.
            but: Those that are to be followed first; a camera's frames follow one another.
        """
        first = {frame.camera for frame in but}
        while len(self._coming) < self.most and (frames := fresh(self._cameras | first)):
            batch = self._pipeline.chosen(frames)
            self._coming.append((batch, self._pool.submit(self._pipeline.detected, batch)))

    def take(self) -> Seen | None:
        """The batch that was begun first, once the detector is done with it; None without one.

        Raises:
            Exception: Whatever the detector raised.
        """
        return self._coming.popleft()[1].result() if self._coming else None

    @property
    def _cameras(self) -> set[CameraId]:
        """Whose frames are at the detector."""
        return {frame.camera for batch, _ in self._coming for frame in batch.frames}
