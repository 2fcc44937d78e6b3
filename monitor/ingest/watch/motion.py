"""Whether anything moves, judged on a small picture of brightness alone; and what hides it."""

import math
import threading
from typing import TypeAlias, cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.config.tampering import Tampering
from monitor.ingest.frames.yuv import SMALL_PX, raw_luma, small_luma
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.tampering import TamperDetector

Luma: TypeAlias = NDArray[np.uint8]
"""(height, width), 0..255: how bright a picture is."""

_Averages: TypeAlias = NDArray[np.float32]

STEP = 12  # grey levels that a pixel must differ from what it usually is; noise stays below
MIN_CHANGED_PIXELS = 10  # such pixels of the small picture; somebody far away covers some 50
MEMORY_S = 2.0  # that "usually" looks back
RESTLESS_S = 30.0  # that a pixel is watched before it counts as one that always changes
RESTLESS = 0.2  # part of that time in which it changed
MOST_RESTLESS = 0.02  # of the picture; where more changes all the time, there is motion
LONGEST_STEP_S = 5.0  # between two pictures; a longer gap says no more about what is usual

LOOK_S = 0.4  # between two pictures that tampering is judged on; it takes seconds to count


class MotionMeter:
    """Compares each picture of one camera with what its view has been lately. Not thread-safe.

    A few pixels that never rest, such as the seconds of a clock in the picture, are left out
    after a while.
    """

    def __init__(self) -> None:
        self._seconds = -math.inf
        self._usual: _Averages = np.empty((0, 0), np.float32)
        self._restless: _Averages = np.empty((0, 0), np.float32)

    def moved(self, luma: Luma, seconds: float) -> bool:
        """Whether something differs; true for the first picture, of which nothing is known.

        Args:
            luma: The small picture.
            seconds: When it was taken, later than the one before.
        """
        passed = min(max(seconds - self._seconds, 0.0), LONGEST_STEP_S)
        self._seconds = seconds
        if self._usual.shape != luma.shape:
            self._usual = luma.astype(np.float32)
            self._restless = np.zeros(luma.shape, np.float32)
            return True
        differs = cv2.absdiff(luma, cv2.convertScaleAbs(self._usual))
        changed = cast("Luma", cv2.threshold(differs, STEP, 1, cv2.THRESH_BINARY)[1])
        cv2.accumulateWeighted(luma, self._usual, _weight(passed, MEMORY_S))
        return self._counted(changed, passed) >= MIN_CHANGED_PIXELS

    def _counted(self, changed: Luma, passed: float) -> int:
        """How many pixels changed, those aside that always do."""
        changes = cv2.countNonZero(changed)
        cv2.accumulateWeighted(changed, self._restless, _weight(passed, RESTLESS_S))
        if changes < MIN_CHANGED_PIXELS:
            return changes
        always = self._restless > RESTLESS
        if np.count_nonzero(always) > MOST_RESTLESS * always.size:
            return changes
        return int(np.count_nonzero(changed.astype(np.bool_) & ~always))


def _weight(passed: float, memory_s: float) -> float:
    """What a picture after so many seconds counts in an average over so many."""
    return 1 - math.exp(-passed / memory_s)


class FrameWatch:
    """One camera's, over all its connections. Thread-safe: an old connection may linger.

    Args:
        demand: Told when the camera was tampered with.
        tampering: When it was tampered with; None never says so.
    """

    def __init__(self, demand: CameraDemand, tampering: Tampering | None = None) -> None:
        self._lock = threading.Lock()
        self._motion = MotionMeter()
        self._demand = demand
        self._watch = TamperDetector(tampering) if tampering is not None else None
        self._watched_at = -math.inf

    def sees_motion(self, frame: av.VideoFrame, seconds: float) -> bool:
        """Whether something moves. Asked for each frame that is given out, in order."""
        luma = small_luma(frame, 2 * SMALL_PX)
        with self._lock:
            if self._watch is not None and not 0 <= seconds - self._watched_at < LOOK_S:
                self._watched_at = seconds
                self._watch.look(luma, raw_luma(frame), seconds)
                self._demand.set_tampering(self._watch.reason)
            small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            return self._motion.moved(np.asarray(small, np.uint8), seconds)
