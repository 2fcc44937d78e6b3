"""Two streams of one camera: the small one is analysed, heads are cut from the large one."""

import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial

from monitor.domain import Frame, Picture
from monitor.ingest import Source
from monitor.ingest.live.reader import Reader
from monitor.ingest.watch.demand import CameraDemand, Demand
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import Stop, StopSwitch
from monitor.runtime.worker import Worker

MAIN_FPS = 12.5  # of the large stream, so that a picture is never more than 40 ms away
BUFFERED_FRAMES = 6  # of the large stream
MAX_DISTANCE_S = 0.12  # between the two pictures of one moment; in more, a head moves away
RETRY_PAUSE_S = (0.5, 3.0)  # seconds between attempts at the large stream, first and longest


class MainStreamDemand(CameraDemand):
    """The demand for the large stream: that for the small one, at a rate of its own."""

    def __init__(self, leader: CameraDemand) -> None:
        super().__init__(MAIN_FPS)
        self._leader = leader

    @property
    def current(self) -> Demand:
        """See CameraDemand."""
        return Demand(MAIN_FPS, self._leader.current.everything)


class FrameBuffer:
    """Holds the last frames of the large stream. Thread-safe."""

    def __init__(self, arriving: Mailbox[Frame]) -> None:
        self._arriving = arriving
        self._lock = threading.Lock()
        self._frames: deque[Frame] = deque(maxlen=BUFFERED_FRAMES)

    def find_nearest(self, seconds: float) -> Picture | None:
        """Return the picture that arrived closest to this time; None if none is close enough."""
        with self._lock:
            while (frame := self._arriving.take(0)) is not None:
                self._frames.append(frame)
            nearest = min(self._frames, key=partial(_time_distance, seconds), default=None)
        if nearest is None or _time_distance(seconds, nearest) > MAX_DISTANCE_S:
            return None
        return nearest.picture


class DualStream:
    """The small stream as a Source; its frames also give the large stream's picture.

    Trouble of the large stream is logged under its own name and costs only detail.
    """

    def __init__(self, small: Source, large: Source, clock: Clock) -> None:
        self._small = small
        self._large = large
        self._clock = clock
        self.traits = small.traits
        self._end = StopSwitch()  # ends the latest connection

    @property
    def decoded(self) -> int:
        """See Source."""
        return self._small.decoded

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        """See Source."""
        self._end.request()  # an earlier connection may hang, but not hold the large stream
        self._end = end = StopSwitch()
        arriving = Mailbox[Frame](BUFFERED_FRAMES)
        reader = Reader(self._large, arriving, Backoff(*RETRY_PAUSE_S), self._clock)
        worker = Worker(f"{self._large.traits.label}: reader", reader.run, end)
        try:
            with self._small.open(abandoned) as frames:
                worker.start()
                with closing(_pair_frames(frames, FrameBuffer(arriving), worker)) as paired:
                    yield paired
        finally:
            end.request()


def _pair_frames(
    frames: Iterator[Frame], buffer: FrameBuffer, worker: Worker
) -> Generator[Frame, None, None]:
    """Yield the small stream's frames, each with access to the large picture of its moment."""
    for frame in frames:
        if worker.failure is not None:  # a bug; see monitor/README.md, D-4
            raise worker.failure
        yield replace(frame, closer=partial(buffer.find_nearest, frame.moment.seconds))


def _time_distance(seconds: float, frame: Frame) -> float:
    return abs(frame.moment.seconds - seconds)
