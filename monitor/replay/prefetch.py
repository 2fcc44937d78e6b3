"""Decodes and detects ahead of the player of a recording, so that all cores are busy."""

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

BATCH = 4  # frames per detector pass; larger batches gain little and delay the first verdict
BATCHES_WAITING = 2  # one is decoded and one waits while the detector works on others
_BATCH_BYTES = 1 << 26  # of decoded frames; large pictures make smaller batches

_Batch: TypeAlias = tuple[list[Frame], list[list[Detection]], float]


class PrefetchingDetector:
    """Gives frames in order, and is a Detector that has their detections already.

    One thread decodes and a few detect, in batches that depend on the recording alone, so the same
    file gives the same detections. Their errors are raised by ``read_frames``, as if it did the
    work itself. Owned by one thread; leaving the ``with`` block stops the others.

    Args:
        frames: All frames of a recording; read on another thread, one at a time.
        detector: Called from other threads, several at a time.
    """

    def __init__(self, frames: Iterator[Frame], detector: Detector) -> None:
        self._source = frames
        self._detector = detector
        self._decoding = ThreadPoolExecutor(1, "decode-ahead")
        self._detecting = ThreadPoolExecutor(count_parallel_requests(), "detect-ahead")
        self._batches: deque[Future[_Batch]] = deque()
        self._detections: dict[int, list[Detection]] = {}
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
        """Milliseconds of decoding and detecting, which overlap with the other stages."""
        return {"decode": 1000 * self._decode_s, "detect": 1000 * self._detect_s}

    def read_frames(self) -> Iterator[Frame]:
        """All frames in order; call ``detect`` for each before taking the next."""
        self._batches.extend(
            self._submit_batch() for _ in range(BATCHES_WAITING + count_parallel_requests())
        )
        while True:
            frames, results, detect_s = self._batches.popleft().result()
            if not frames:
                return
            self._detect_s += detect_s
            self._batches.append(self._submit_batch())
            for frame, detections in zip(frames, results, strict=True):
                self._detections = {frame.sequence: detections}
                yield frame

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """See Detector; only for the last frame that was read.

        Raises:
            KeyError: For any other frame.
        """
        return [self._detections[frame.sequence] for frame in frames]

    def _submit_batch(self) -> Future[_Batch]:
        decoded = self._decoding.submit(self._decode_batch)
        return self._detecting.submit(self._detect_batch, decoded)

    def _decode_batch(self) -> list[Frame]:
        """The next batch; empty at the end."""
        started = time.perf_counter()
        frames = list(islice(self._source, 1))
        if frames:
            in_bytes = frames[0].width * frames[0].height * 3 // 2  # as decoders give them
            frames += islice(self._source, min(BATCH, max(_BATCH_BYTES // in_bytes, 1)) - 1)
        self._decode_s += time.perf_counter() - started
        return frames

    def _detect_batch(self, decoded: Future[list[Frame]]) -> _Batch:
        frames = decoded.result()
        started = time.perf_counter()
        results = self._detector.detect(frames)
        return frames, results, time.perf_counter() - started
