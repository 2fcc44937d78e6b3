"""What happens to cameras, one fault after the other, while others go on.

    python -m tests.stress.camera_matrix [--cameras 16] [--hold 10] [--black 30] [--reconnects 200]
        [--no-faults]

Real RTSP servers (GStreamer's) and a fault proxy, all on loopback. For each fault: seconds
until frames flow again after its cause has ended, the longest gap between two frames that
were looked at, and the frame rate of the other cameras while it lasted, in parts of their
rate before. At the end what the process holds before and after many reconnections;
with --no-faults nothing but that.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from monitor.domain import StreamState
from monitor.runtime import heap
from tests.support.camera_bench import CameraBench, Rates, Resources, Watched, rtsp
from tests.support.camera_park import CameraPark, park_clips
from tests.support.fault_proxy import STAGES, FaultProxy
from tests.support.rtsp_server import RtspServer

LIMIT_S = 30.0  # a camera that is not back by then never comes
HOUR_TICKS = 3600 * 90_000
LOSS = 0.03
REPORTS = 8  # while the camera is cut off again and again
PASSWORD = "right"  # noqa: S105  (made up)


@dataclass(frozen=True)
class Settings:
    """How large and how long."""

    cameras: int = 16
    hold_s: float = 10.0  # how long each fault lasts
    black_s: float = 30.0
    reconnects: int = 200
    rates_s: float = 5.0  # at least, in which others are counted: in 1 s one picture is 7 %
    width: int = 640
    fps: int = 15
    stages: tuple[str, ...] = STAGES


@dataclass(frozen=True)
class Row:
    """What one fault did."""

    fault: str
    held_s: float
    back_s: float  # until frames flow again after the cause has ended
    gap_s: float  # longest, between two frames that were looked at
    reconnects: int
    others: float  # slowest other camera's rate, in parts of its rate before

    def __str__(self) -> str:
        return (
            f"{self.fault:34} {self.held_s:6.1f} {self.back_s:7.2f} {self.gap_s:7.2f}"
            f" {self.reconnects:10d} {100 * self.others:7.0f} %"
        )


HEAD = f"{'fault':34} {'held s':>6} {'back s':>7} {'gap s':>7} {'reconnects':>10} {'others':>9}"


@dataclass
class Matrix:
    """Cameras, and the one among them that has all the trouble."""

    settings: Settings
    bench: CameraBench
    park: CameraPark
    proxy: FaultProxy  # in front of the park's camera 0
    grave: FaultProxy  # in front of it too, but switched off from the start
    sick: Watched
    dead: Watched
    well: dict[str, Watched]

    def row(
        self,
        fault: str,
        begin: Callable[[], object],
        end: Callable[[], object],
        hold_s: float | None = None,
    ) -> Row:
        """Let one fault happen to the sick camera, and mend it."""
        return self.row_of(self.sick, fault, begin, end, hold_s)

    def row_of(
        self,
        sick: Watched,
        fault: str,
        begin: Callable[[], object],
        end: Callable[[], object],
        hold_s: float | None = None,
    ) -> Row:
        """As ``row``, for any camera."""
        hold_s = self.settings.hold_s if hold_s is None else hold_s
        rates = Rates(self.well)
        time.sleep(max(hold_s, self.settings.rates_s))
        before, began_at = rates.now(), time.monotonic()
        sick.forget()
        connections = sick.reader.status().reconnects
        begin()
        time.sleep(hold_s)
        end()
        back_s = self.bench.wait_for_frames([sick], LIMIT_S)
        time.sleep(max(0.0, began_at + self.settings.rates_s - time.monotonic()))
        during = rates.now()
        return Row(
            fault,
            hold_s,
            back_s,
            sick.longest_gap_s,
            sick.reader.status().reconnects - connections,
            min((during[name] / max(before[name], 0.01) for name in during), default=1.0),
        )

    def rows(self) -> Iterator[Row]:
        """Every fault, one after the other."""
        proxy, park = self.proxy, self.park
        yield self.row("power off, then on", proxy.power_off, proxy.power_on)
        yield self.row("stall, TCP alive", proxy.stall, proxy.resume)
        yield self.row("short stall (1 s)", proxy.stall, proxy.resume, 1.0)
        for stage in self.settings.stages:
            yield self.row(f"silent at {stage}", partial(self._mute, stage), self._unmute)
        for name in ("still", "black"):
            hold_s = self.settings.black_s if name == "black" else None
            yield self.row(f"picture: {name}", partial(park.play, 0, name), self._moving, hold_s)
        yield self.row("640x360 to 1280x720 and back", partial(park.play, 0, "large"), self._moving)
        yield self.row("H.264 to H.265 and back", self._other_codec, self._first_codec)
        for name, ticks in (("ahead", HOUR_TICKS), ("back", -HOUR_TICKS)):
            yield self.row(
                f"time stamps jump 1 h {name}", partial(proxy.shift, ticks), self._true_stamps
            )
        yield self.row("time stamps wrap", proxy.wrap, self._true_stamps)
        yield from self._lossy()
        yield from self._password()
        park.play(0, "moving")
        yield self.row_of(
            self.dead, "dead from the start, then on", partial(bool, 0), self.grave.power_on
        )

    def _mute(self, stage: str) -> None:
        self.proxy.fall_silent(stage)
        self.proxy.cut()

    def _unmute(self) -> None:
        self.proxy.fall_silent(None)

    def _moving(self) -> None:
        self.park.play(0, "moving")

    def _other_codec(self) -> None:
        self.park.play(0, "moving265")
        self.proxy.cut()

    def _first_codec(self) -> None:
        self.park.play(0, "moving")
        self.proxy.cut()

    def _true_stamps(self) -> None:
        self.proxy.shift(0)

    def _lossy(self) -> Iterator[Row]:
        """A camera over UDP that loses some datagrams, and then a second of them."""
        with FaultProxy(self.park.ports[0]) as proxy:
            watched = self.bench.add(rtsp("udp", proxy.url(), transport="udp"))
            self.bench.wait_for_frames([watched], LIMIT_S)
            lose_nothing = partial(proxy.lose, 0)
            for loss in (LOSS, 1.0):
                yield self.row_of(
                    watched, f"UDP losing {loss:.0%}", partial(proxy.lose, loss), lose_nothing
                )
            watched.reader.pause()

    def _password(self) -> Iterator[Row]:
        """A camera whose password file is wrong at first."""
        with tempfile.TemporaryDirectory() as folder:
            clip = next(iter(park_clips(Path(folder), self.settings.fps, width=320).values()))
            password = Path(folder, "password")
            password.write_text("wrong", encoding="utf-8")
            with RtspServer(clip, "viewer", PASSWORD) as server:
                source = rtsp("locked", server.url, username="viewer", password_file=password)
                watched = self.bench.add(source)
                row = self.row_of(
                    watched,
                    "wrong password, then right",
                    partial(bool, 0),  # it is wrong already
                    partial(password.write_text, PASSWORD, encoding="utf-8"),
                )
                watched.reader.pause()
                yield row

    def reconnect(self) -> Iterator[tuple[int, Resources]]:
        """Cut a camera's connection again and again: how often so far, and what we hold."""
        with FaultProxy(self.park.ports[0]) as proxy:
            watched = self.bench.add(rtsp("cut", proxy.url()), (0.02, 0.05))
            self.bench.wait_for_frames([watched], LIMIT_S)
            for done in range(1, self.settings.reconnects + 1):
                proxy.cut()
                self.bench.wait_for_frames([watched], LIMIT_S)
                for one in self.bench.cameras.values():
                    one.forget()  # else what is measured is our own list of lags
                if done % max(1, self.settings.reconnects // REPORTS) == 0:
                    yield done, Resources.now()
            watched.reader.pause()


@contextmanager
def matrix(settings: Settings, folder: Path) -> Iterator[Matrix]:
    """All cameras at work: one behind the proxy, one that was never there, the others well."""
    clips = park_clips(folder, settings.fps, width=settings.width)
    with (
        CameraPark(settings.cameras - 1, clips) as park,
        FaultProxy(park.ports[0]) as proxy,
        FaultProxy(park.ports[0]) as grave,
        CameraBench() as bench,
    ):
        grave.power_off()
        dead = bench.add(rtsp("dead", grave.url()))
        sick = bench.add(rtsp("sick", proxy.url()))
        names = [f"well-{n}" for n in range(1, settings.cameras - 1)]
        well = {name: bench.add(rtsp(name, park.url(n + 1))) for n, name in enumerate(names)}
        bench.wait_for_frames([sick, *well.values()], LIMIT_S)
        assert dead.reader.status().state is StreamState.CONNECTING
        yield Matrix(settings, bench, park, proxy, grave, sick, dead, well)


def say(line: object) -> None:
    """One line of the table, at once."""
    print(line, flush=True)  # noqa: T201  (a command's output)


def main() -> None:
    """Run all of it and print the table."""
    parser = argparse.ArgumentParser(description="Faults of cameras, one after the other.")
    usual = Settings()
    parser.add_argument("--cameras", type=int, default=usual.cameras)
    parser.add_argument("--hold", type=float, default=usual.hold_s, help="seconds of each fault")
    parser.add_argument("--black", type=float, default=usual.black_s)
    parser.add_argument("--reconnects", type=int, default=usual.reconnects)
    parser.add_argument("--no-faults", action="store_true")
    asked = parser.parse_args()
    heap.limit_heaps()  # as the daemon does
    logging.basicConfig(level=logging.ERROR)  # that cameras go away is what this is about
    settings = Settings(asked.cameras, asked.hold, asked.black, asked.reconnects)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory() as folder,
        matrix(settings, Path(folder)) as cameras,
    ):
        say(f"{settings.cameras} cameras, 1 of them dead from the start")
        if not asked.no_faults:
            say(HEAD)
            for row in cameras.rows():
                say(row)
        say(f"before reconnecting: {Resources.now()}")
        for done, held in cameras.reconnect():
            say(f"after {done} reconnections: {held}")


if __name__ == "__main__":
    main()
