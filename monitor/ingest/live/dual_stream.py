"""Two streams of one camera: the small one is watched, heads are cut from the large one."""

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

MAIN_FPS = 12.5  # pictures of the large stream that are kept: one is never more than 40 ms away
KEPT = 6  # of them; they are large
NEAR_S = 0.12  # between the two pictures of one moment; further apart, a head has moved on
PAUSE = (0.5, 3.0)  # seconds between tries of the large stream, first and longest


class MainStreamDemand(CameraDemand):
    """How the large stream is watched: as closely as the small one, but for its rate."""

    def __init__(self, leader: CameraDemand) -> None:
        super().__init__(MAIN_FPS)
        self._leader = leader

    @property
    def current(self) -> Demand:
        """See CameraDemand."""
        return Demand(MAIN_FPS, self._leader.current.everything)


class FrameBuffer:
    """The last pictures of the large stream. Thread-safe."""

    def __init__(self, arriving: Mailbox[Frame]) -> None:
        self._arriving = arriving
        self._lock = threading.Lock()
        self._kept: deque[Frame] = deque(maxlen=KEPT)

    def nearest(self, seconds: float) -> Picture | None:
        """The picture that arrived closest to this time; None if none is close enough."""
        with self._lock:
            while (frame := self._arriving.take(0)) is not None:
                self._kept.append(frame)
            best = min(self._kept, key=partial(_distance, seconds), default=None)
        if best is None or _distance(seconds, best) > NEAR_S:
            return None
        return best.picture


class DualStream:
    """The small stream as a Source whose frames know the large stream's picture.

    Trouble of the large stream is logged under its own name and costs nothing but detail.
    """

    def __init__(self, small: Source, large: Source, clock: Clock) -> None:
        self._small = small
        self._large = large
        self._clock = clock
        self.traits = small.traits
        self._over = StopSwitch()  # of the latest opening

    @property
    def decoded(self) -> int:
        """See Source."""
        return self._small.decoded

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        """See Source."""
        self._over.request()  # an earlier opening may hang, but not hold the large stream
        self._over = over = StopSwitch()
        arriving = Mailbox[Frame](KEPT)
        reader = Reader(self._large, arriving, Backoff(*PAUSE), self._clock)
        worker = Worker(f"{self._large.traits.label}: reader", reader.run, over)
        try:
            with self._small.open(abandoned) as frames:
                worker.start()
                with closing(_joined(frames, FrameBuffer(arriving), worker)) as joined:
                    yield joined
        finally:
            over.request()


def _joined(
    frames: Iterator[Frame], buffer: FrameBuffer, worker: Worker
) -> Generator[Frame, None, None]:
    """The small stream's frames, each with its way to the large picture of its moment."""
    for frame in frames:
        if worker.failure is not None:  # a mistake of ours; see monitor/README.md, D-4
            raise worker.failure
        yield replace(frame, closer=partial(buffer.nearest, frame.moment.seconds))


def _distance(seconds: float, frame: Frame) -> float:
    return abs(frame.moment.seconds - seconds)
