"""What is noticed about each picture of a camera before anybody looks for people in it."""

import threading

import av

from monitor.ingest.motion import MotionMeter
from monitor.ingest.yuv import small_luma


class Eye:
    """One camera's, over all its connections. Thread-safe: an old connection may linger."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._motion = MotionMeter()

    def sees_motion(self, frame: av.VideoFrame, seconds: float) -> bool:
        """Whether something moves. Asked for each frame that is given out, in order."""
        luma = small_luma(frame)
        with self._lock:
            return self._motion.moved(luma, seconds)
