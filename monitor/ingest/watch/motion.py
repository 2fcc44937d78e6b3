"""Motion, detected on a small picture of brightness; and tampering."""

import math
import threading
from typing import TypeAlias, cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.config.schema import Tampering
from monitor.ingest.frames.yuv import SMALL_PX, sample_luma, shrink_luma
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.tampering import Luma, TamperDetector

_Averages: TypeAlias = NDArray[np.float32]

MIN_DIFFERENCE = 12  # grey levels between a pixel and the background; noise stays below
MIN_CHANGED_PIXELS = 10  # of the small picture; a distant person covers some 50
BACKGROUND_S = 2.0  # over which the background is averaged
CHANGES_S = 30.0  # over which a pixel's changes are averaged
RESTLESS_SHARE = 0.2  # of the time; a pixel that changes more often always does
MAX_RESTLESS_AREA = 0.02  # of the picture; if more of it always changes, that is motion
MAX_STEP_S = 5.0  # between two pictures; a longer gap counts as this
TAMPER_CHECK_S = 0.4  # between two checks for tampering, which must last seconds to count


class MotionDetector:
    """Compares each picture of one camera with an average of the last. Not thread-safe.

    A few pixels that always change, such as a clock in the picture, are ignored after a
    while.
    """

    def __init__(self) -> None:
        self._seconds = -math.inf
        self._background: _Averages = np.empty((0, 0), np.float32)
        self._restless: _Averages = np.empty((0, 0), np.float32)

    def detect_motion(self, luma: Luma, seconds: float) -> bool:
        """Whether something moves; true for the first picture, which has no background yet.

        Args:
            luma: The small picture.
            seconds: When it was taken, later than the one before.
        """
        elapsed_s = min(max(seconds - self._seconds, 0.0), MAX_STEP_S)
        self._seconds = seconds
        if self._background.shape != luma.shape:
            self._background = luma.astype(np.float32)
            self._restless = np.zeros(luma.shape, np.float32)
            return True
        difference = cv2.absdiff(luma, cv2.convertScaleAbs(self._background))
        changed = cast("Luma", cv2.threshold(difference, MIN_DIFFERENCE, 1, cv2.THRESH_BINARY)[1])
        cv2.accumulateWeighted(luma, self._background, _weigh(elapsed_s, BACKGROUND_S))
        return self._count_changed(changed, elapsed_s) >= MIN_CHANGED_PIXELS

    def _count_changed(self, changed: Luma, elapsed_s: float) -> int:
        """Count the pixels that changed, without those that always do."""
        changes = cv2.countNonZero(changed)
        cv2.accumulateWeighted(changed, self._restless, _weigh(elapsed_s, CHANGES_S))
        if changes < MIN_CHANGED_PIXELS:
            return changes
        restless = self._restless > RESTLESS_SHARE
        if np.count_nonzero(restless) > MAX_RESTLESS_AREA * restless.size:
            return changes
        return int(np.count_nonzero(changed.astype(np.bool_) & ~restless))


def _weigh(elapsed_s: float, memory_s: float) -> float:
    """Weight of a picture after ``elapsed_s`` in an average over ``memory_s``."""
    return 1 - math.exp(-elapsed_s / memory_s)


class FrameWatch:
    """Detects motion and tampering of one camera, over all its connections.

    Thread-safe, as an old connection may still deliver frames.

    Args:
        demand: Learns when the camera was tampered with.
        tampering: The settings; None detects only motion.
    """

    def __init__(self, demand: CameraDemand, tampering: Tampering | None = None) -> None:
        self._lock = threading.Lock()
        self._motion = MotionDetector()
        self._demand = demand
        self._tampering = TamperDetector(tampering) if tampering is not None else None
        self._checked_at = -math.inf

    def process_frame(self, frame: av.VideoFrame, seconds: float) -> bool:
        """Check one delivered frame, in their order. Returns whether something moves."""
        luma = shrink_luma(frame, 2 * SMALL_PX)
        with self._lock:
            if self._tampering is not None and not 0 <= seconds - self._checked_at < TAMPER_CHECK_S:
                self._checked_at = seconds
                self._tampering.check_picture(luma, sample_luma(frame), seconds)
                self._demand.set_tampering(self._tampering.reason)
            small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            return self._motion.detect_motion(np.asarray(small, np.uint8), seconds)
