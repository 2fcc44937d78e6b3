"""Cameras with random faults, for as long as wanted.

    python -m tests.stress.soak MINUTES CAMERAS [--no-analysis] [--width 320] [--fps 5] [--seed 1]

Real RTSP servers (GStreamer's), each behind a fault proxy of its own, read as the daemon reads
them; what arrives goes through the daemon's pipeline: detector, tracker, judge and alerts, at a
lower rate while the machine is overloaded. The pictures are small and few so that it can run
beside other work. Prints once a minute what the process holds, how long frames waited, and which
cameras are stuck: without a frame for longer than ``STUCK_S`` though nothing is wrong with them.
At the end what an hour adds to what the process holds.
"""

import argparse
import itertools
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from monitor.domain import CameraId
from monitor.runtime import heap
from tests.stress.soak_analysis import Analysis
from tests.stress.soak_report import HEAD, Lags, Report, verdict
from tests.support.camera_bench import CameraBench, Resources, Watched, rtsp
from tests.support.camera_park import CameraPark, park_clips
from tests.support.fault_proxy import STAGES, FaultProxy

ANALYSES = 5  # a second of each camera
STUCK_S = 15.0  # after a fault has ended; the slowest way back: two time-outs and a pause
LIMIT_S = 30.0
HOUR_TICKS = 3600 * 90_000
CLIPS = ("moving", "still", "black", "large")


@dataclass(frozen=True)
class Settings:
    """How large, how long, how bad."""

    minutes: float
    cameras: int
    fault_every_s: float = 5.0  # on average, over all cameras
    longest_s: float = 20.0  # fault
    report_s: float = 60.0
    settle_s: float = STUCK_S + 1  # at the end, without faults
    seed: int = 1
    width: int = 320
    fps: int = 5

    @property
    def names(self) -> list[str]:
        """The cameras'."""
        return [f"camera-{n}" for n in range(self.cameras)]


@dataclass
class Victim:
    """One camera and what is wrong with it."""

    name: str
    index: int
    proxy: FaultProxy
    watched: Watched
    well_from: float  # seconds on the monotonic clock: when its last fault ended, or ends
    mend: Callable[[], object] | None = None
    stuck: bool = False


@dataclass
class Soak:
    """The cameras, and the bad luck that befalls them."""

    settings: Settings
    park: CameraPark
    victims: list[Victim]
    luck: random.Random
    analysis: Analysis | None = None
    faults: Counter[str] = field(default_factory=Counter)

    def reports(self) -> Iterator[Report]:
        """Let it go on for as long as the settings say, with a report now and then."""
        started = time.monotonic()
        next_fault, next_report = started, started + self.settings.report_s
        end = started + 60 * self.settings.minutes
        while (now := time.monotonic()) < end:
            if now >= next_fault:
                self._strike(now)
                next_fault = now + self.luck.expovariate(1 / self.settings.fault_every_s)
            self._mend(now)
            if now >= next_report:
                yield self._report(now - started)
                next_report += self.settings.report_s
            time.sleep(0.05)
        self._mend(float("inf"))
        time.sleep(self.settings.settle_s)
        yield self._report(time.monotonic() - started)

    def _strike(self, now: float) -> None:
        """One fault for one camera that has none."""
        healthy = [victim for victim in self.victims if victim.mend is None]
        if not healthy:
            return
        victim = self.luck.choice(healthy)
        fault = self.luck.choice(
            ["power", "stall", "cut", "silent", "ahead", "back", "wrap", "play", "codec"]
        )
        self.faults[fault] += 1
        victim.mend = self._begin(victim, fault)
        victim.well_from = now + self.luck.uniform(0.2, self.settings.longest_s)

    def _begin(self, victim: Victim, fault: str) -> Callable[[], object]:
        """Do it; returns what undoes it."""
        proxy, park = victim.proxy, self.park
        undo: Callable[[], object] = partial(park.play, victim.index, "moving")
        match fault:
            case "power":
                proxy.power_off()
                undo = proxy.power_on
            case "stall":
                proxy.stall()
                undo = proxy.resume
            case "silent":
                proxy.fall_silent(self.luck.choice(STAGES))
                proxy.cut()
                undo = partial(proxy.fall_silent, None)
            case "ahead" | "back":
                proxy.shift(HOUR_TICKS if fault == "ahead" else -HOUR_TICKS)
                undo = partial(proxy.shift, 0)
            case "wrap":
                proxy.wrap()
                undo = partial(proxy.shift, 0)
            case "play":
                park.play(victim.index, self.luck.choice(CLIPS))
            case "codec":
                park.play(victim.index, "moving265")
                proxy.cut()
            case _:
                proxy.cut()
        return undo

    def _mend(self, now: float) -> None:
        for victim in self.victims:
            if victim.mend is not None and now >= victim.well_from:
                victim.mend()
                victim.mend, victim.well_from = None, time.monotonic()
            sound = victim.mend is None and time.monotonic() - victim.well_from > STUCK_S
            victim.stuck |= sound and time.monotonic() - victim.watched.last_at > STUCK_S

    def _report(self, seconds: float) -> Report:
        lags = Lags.of(
            itertools.chain.from_iterable(victim.watched.lags_s for victim in self.victims)
        )
        for victim in self.victims:
            victim.watched.forget()
        return Report(
            seconds / 60,
            self.faults.total(),
            sum(victim.watched.reader.status().reconnects for victim in self.victims),
            Resources.now(),
            lags,
            [victim.name for victim in self.victims if victim.stuck],
            self.analysis.shedder.share if self.analysis else 1.0,
        )


@contextmanager
def soak(settings: Settings, folder: Path, analysis: Analysis | None = None) -> Iterator[Soak]:
    """All cameras at work.

    Args:
        settings: See Settings.
        folder: Where their clips go.
        analysis: What is done with their frames; None does nothing.
    """
    clips = park_clips(folder, settings.fps, width=settings.width)
    with CameraPark(settings.cameras, clips) as park, ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(port)) for port in park.ports]
        bench = stack.enter_context(CameraBench(analysis or len))
        victims: list[Victim] = []
        for name, proxy in zip(settings.names, proxies, strict=True):
            demand = analysis.demand[CameraId(name)] if analysis else None
            watched = bench.add(rtsp(name, proxy.url(), demand=demand))
            victims.append(Victim(name, len(victims), proxy, watched, time.monotonic()))
        bench.wait_for_frames([victim.watched for victim in victims], LIMIT_S)
        luck = random.Random(settings.seed)  # noqa: S311  (which fault comes next)
        yield Soak(settings, park, victims, luck, analysis)


def main() -> int:
    """Print a line a minute and a verdict."""
    parser = argparse.ArgumentParser(description="Cameras with random faults.")
    parser.add_argument("minutes", type=float)
    parser.add_argument("cameras", type=int)
    parser.add_argument("--no-analysis", action="store_true")
    for what in ("width", "fps", "seed"):
        parser.add_argument(f"--{what}", type=int, default=getattr(Settings, what))
    asked = parser.parse_args()
    heap.limit_heaps()  # as the daemon does
    logging.basicConfig(level=logging.ERROR)  # that cameras go away is what this is about
    settings = Settings(
        asked.minutes, asked.cameras, seed=asked.seed, width=asked.width, fps=asked.fps
    )
    reports: list[Report] = []
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        analysis = None
        if not asked.no_analysis:
            analysis = stack.enter_context(Analysis(settings.names, ANALYSES, folder))
        cameras = stack.enter_context(soak(settings, folder, analysis))
        print(HEAD)  # noqa: T201  (a command's output)
        for report in cameras.reports():
            print(report, flush=True)  # noqa: T201
            reports.append(report)
        print(dict(cameras.faults))  # noqa: T201
    lines, well = verdict(reports)
    print("\n".join(lines))  # noqa: T201
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
