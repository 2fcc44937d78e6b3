"""What is noticed about each picture of a camera before anybody looks for people in it."""

import math
import threading

import av
import cv2
import numpy as np

from monitor.config.blindness import Blindness
from monitor.ingest.attention import Attention
from monitor.ingest.blind import BlindWatch
from monitor.ingest.motion import MotionMeter
from monitor.ingest.yuv import SMALL_PX, raw_luma, small_luma

LOOK_S = 0.4  # between two pictures that blindness is judged on; it takes seconds to count


class Eye:
    """One camera's, over all its connections. Thread-safe: an old connection may linger.

    Args:
        attention: Told when the camera is blind.
        blindness: When it is; None never says so.
    """

    def __init__(self, attention: Attention, blindness: Blindness | None = None) -> None:
        self._lock = threading.Lock()
        self._motion = MotionMeter()
        self._attention = attention
        self._watch = BlindWatch(blindness) if blindness is not None else None
        self._watched_at = -math.inf

    def sees_motion(self, frame: av.VideoFrame, seconds: float) -> bool:
        """Whether something moves. Asked for each frame that is given out, in order."""
        luma = small_luma(frame, 2 * SMALL_PX)
        with self._lock:
            if self._watch is not None and not 0 <= seconds - self._watched_at < LOOK_S:
                self._watched_at = seconds
                self._watch.look(luma, raw_luma(frame), seconds)
                self._attention.blinded(self._watch.reason)
            small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            return self._motion.moved(np.asarray(small, np.uint8), seconds)
