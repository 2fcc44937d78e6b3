"""Decoding and detecting ahead of who plays a recording, so that all cores have work."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Self, TypeAlias

from monitor.detect import Detector
from monitor.domain import Detection, Frame
from monitor.runtime.openvino_runtime import count_parallel_requests

BATCH = 4  # frames for one pass of the detector; more gain little, and delay the first verdict
BATCHES_WAITING = 2  # one is decoded and one waits while others are looked at
_AHEAD_BYTES = 1 << 26  # decoded frames of one batch; large pictures go in smaller batches

_Batch: TypeAlias = tuple[list[Frame], list[list[Detection]], float]


class PrefetchingDetector:
    """Frames in their order, and a Detector that has looked at them already.

    One thread decodes and a few detect, in batches that depend on the recording alone, so the
    same file gives the same detections. What goes wrong there is raised by ``frames``, where
    it would have been raised without them. Owned by one thread, which leaves the ``with``
    block to stop all.

    Args:
        frames: All of a recording; taken from another thread, one at a time.
        detector: Asked from other threads, several at a time.
    """

    def __init__(self, frames: Iterator[Frame], detector: Detector) -> None:
        self._source = frames
        self._detector = detector
        self._decoding = ThreadPoolExecutor(1, "decode-ahead")
        self._detecting = ThreadPoolExecutor(count_parallel_requests(), "detect-ahead")
        self._coming: deque[Future[_Batch]] = deque()
        self._found: dict[int, list[Detection]] = {}
        self._decode_s = 0.0
        self._detect_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in (self._decoding, self._detecting):
            pool.shutdown(wait=True, cancel_futures=True)

    @property
    def stage_ms(self) -> dict[str, float]:
        """Milliseconds that decoding and detecting took, at the same time as all else."""
        return {"decode": 1000 * self._decode_s, "detect": 1000 * self._detect_s}

    def frames(self) -> Iterator[Frame]:
        """All frames in their order; each is to be detected before the next is taken."""
        self._coming.extend(
            self._next() for _ in range(BATCHES_WAITING + count_parallel_requests())
        )
        while True:
            frames, found, detect_s = self._coming.popleft().result()
            if not frames:
                return
            self._detect_s += detect_s
            self._coming.append(self._next())
            for frame, detections in zip(frames, found, strict=True):
                self._found = {frame.sequence: detections}
                yield frame

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector; only for the frame that came last.

        Raises:
            KeyError: It is another.
        """
        return [self._found[frame.sequence] for frame in frames]

    def _next(self) -> Future[_Batch]:
        decoded = self._decoding.submit(self._decoded)
        return self._detecting.submit(self._detected, decoded)

    def _decoded(self) -> list[Frame]:
        """The next batch; empty at the end, and ever after."""
        started = time.perf_counter()
        frames = list(islice(self._source, 1))
        if frames:
            in_bytes = frames[0].width * frames[0].height * 3 // 2  # as decoders give them
            frames += islice(self._source, min(BATCH, max(_AHEAD_BYTES // in_bytes, 1)) - 1)
        self._decode_s += time.perf_counter() - started
        return frames

    def _detected(self, decoded: Future[list[Frame]]) -> _Batch:
        frames = decoded.result()
        started = time.perf_counter()
        found = self._detector.detect(frames)
        return frames, found, time.perf_counter() - started
