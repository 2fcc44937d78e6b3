"""Cameras being read as the daemon reads them, and what can be measured from outside."""

import gc
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.config.sources import RtspSource
from monitor.domain import CameraId, Frame
from monitor.ingest.live.live_video import LiveVideo
from monitor.ingest.live.reader import Reader
from monitor.ingest.watch.demand import CameraDemand
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.heap import Trimmer
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch

PAUSE = (0.5, 3.0)  # seconds between tries of a camera, first and longest, as in the daemon
JOIN_S = 5.0
ON_THE_WAY_S = 0.15


def rtsp(
    name: str, url: str, *, demand: CameraDemand | None = None, **settings: object
) -> LiveVideo:
    """One camera, five frames a second of which are given out, with these settings of RtspSource.

    Without ``demand`` all of its pictures are decoded.
    """
    source = RtspSource.model_validate({"kind": "rtsp", "url": url} | settings)
    return LiveVideo(CameraId(name), source, analysis_fps=5, clock=SystemClock(), demand=demand)


@dataclass
class Watched:
    """One camera at work, and what came from it. Written by the bench's taker thread."""

    reader: Reader
    box: Mailbox[Frame]
    thread: threading.Thread
    last_at: float = -1.0  # seconds on the monotonic clock of the last frame that was taken
    longest_gap_s: float = 0.0
    sizes: set[int] = field(default_factory=set)  # widths seen
    lags_s: list[float] = field(default_factory=list)  # from a frame's arrival to its being done

    @property
    def decoded(self) -> int:
        """Pictures decoded so far."""
        return self.reader.status().decoded

    def forget(self) -> None:
        """Measure gaps and sizes from now on."""
        self.longest_gap_s, self.sizes, self.lags_s = 0.0, set(), []


class CameraBench:
    """Readers, and one thread that takes the newest frame of each, as the analyst does.

    Args:
        work: What is done with each batch of frames; nothing by default.
    """

    def __init__(self, work: Callable[[Sequence[Frame]], object] = len) -> None:
        self.cameras: dict[str, Watched] = {}
        self._work = work
        self._bell = threading.Event()
        self._stop = StopSwitch()
        self._taker = threading.Thread(target=self._take, daemon=True)
        self._trimmer = Trimmer(self._reconnects, SystemClock())

    def __enter__(self) -> Self:
        self._taker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.request()
        for thread in (self._taker, *(watched.thread for watched in self.cameras.values())):
            thread.join(JOIN_S)

    def add(self, source: LiveVideo, pause: tuple[float, float] = PAUSE) -> Watched:
        """Begin to read a camera."""
        box = Mailbox[Frame](1, bell=self._bell)
        reader = Reader(source, box, Backoff(*pause), SystemClock())
        thread = threading.Thread(target=reader.run, args=(self._stop,), daemon=True)
        watched = Watched(reader, box, thread)
        self.cameras = {**self.cameras, source.traits.label: watched}  # the taker may be looking
        thread.start()
        return watched

    def wait_for_frames(self, watched: Iterable[Watched], limit_s: float) -> float:
        """Seconds until each of them has given a frame that was sent after now; or ``limit_s``.

        What arrives within ``ON_THE_WAY_S`` may have been sent before a connection was cut.
        Never raises, for not being back is a result too.
        """
        started = time.monotonic()
        waiting = list(watched)
        while waiting and time.monotonic() - started < limit_s:
            waiting = [one for one in waiting if one.last_at < started + ON_THE_WAY_S]
            self._stop.wait(0.01)
        return time.monotonic() - started

    def _take(self) -> None:
        while not self._stop.requested:
            self._bell.wait(0.1)
            self._bell.clear()
            self._trimmer.trim_if_due()
            cameras = list(self.cameras.values())
            taken = [(one, frame) for one in cameras if (frame := one.box.take(0)) is not None]
            if not taken:
                continue
            self._work([frame for _, frame in taken])
            for one, frame in taken:
                _note(one, frame)
            self._bell.set()  # there may be more where these came from

    def _reconnects(self) -> int:
        return sum(one.reader.status().reconnects for one in list(self.cameras.values()))


def _note(watched: Watched, frame: Frame) -> None:
    arrived = frame.moment.seconds
    if watched.last_at > 0:
        watched.longest_gap_s = max(watched.longest_gap_s, arrived - watched.last_at)
    watched.last_at = arrived
    watched.sizes.add(frame.width)
    watched.lags_s.append(time.monotonic() - arrived)


class Rates:
    """Pictures a second of some cameras, from one call to the next."""

    def __init__(self, cameras: Mapping[str, Watched]) -> None:
        self._cameras = cameras
        self._since = time.monotonic()
        self._counts = {name: one.decoded for name, one in cameras.items()}

    def now(self) -> dict[str, float]:
        """Since the last call, or since the beginning."""
        now = time.monotonic()
        counts = {name: one.decoded for name, one in self._cameras.items()}
        seconds = now - self._since
        rates = {name: (counts[name] - self._counts[name]) / seconds for name in counts}
        self._since, self._counts = now, counts
        return rates


@dataclass(frozen=True)
class Resources:
    """What this process holds."""

    descriptors: int
    threads: int
    resident_mb: float

    @classmethod
    def now(cls) -> "Resources":
        """At this moment, with nothing left that is only waiting to be collected."""
        gc.collect()
        status = Path("/proc/self/status").read_text(encoding="ascii")
        facts = dict(line.split(":", 1) for line in status.splitlines())
        return cls(
            len(list(Path("/proc/self/fd").iterdir())),
            int(facts["Threads"]),
            int(facts["VmRSS"].split()[0]) / 1024,
        )

    def __str__(self) -> str:
        return (
            f"{self.descriptors} descriptors, {self.threads} threads, "
            f"{self.resident_mb:.0f} MB resident"
        )
