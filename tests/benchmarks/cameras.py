"""How many cameras one machine can watch.

    python -m tests.benchmarks.cameras [--busy 8,12,16,24,32] [--idle 32,64,100] [--seconds 15]
                                       [--size 640x360] [--video FILE]

RTSP cameras at 15 pictures a second with a key frame every two seconds, on loopback; the
embedded models; five pictures a second wanted of each. Busy cameras show the video (a made one
pans over a photo), idle ones a room with a sensor's noise. So many hold as are looked at as often
as wanted and wait 500 ms at most, 95 times of 100. The cameras' own work is done by another
process and is not in "cpu %/1", though it takes its part ("server", of one core) of the machine.
"""

import argparse
import itertools
import logging
import os
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import cv2
import numpy as np

from monitor.build import Models, PipelineSettings, build_pipeline, build_source, load_models
from monitor.config.judges import EmbeddedJudgeSettings, Scheduler
from monitor.config.policy import Policy
from monitor.config.schema import Economy, EmbeddedDetector, Tracking
from monitor.config.sources import Camera, RtspSource
from monitor.daemon.alert_dispatch import AlertDispatch
from monitor.daemon.analyst import Analyst
from monitor.daemon.camera_control import SnapshotRequests
from monitor.domain import CameraId, Frame, Pixels, StreamState
from monitor.ingest.live.reader import Reader
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.load_shedder import LoadShedder
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import Outbox
from monitor.publish.retained.retained_topics import OpenAlerts, RetainedPublisher
from monitor.runtime import heap
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.stress.many_cameras import ManyCameras
from tests.support.clips import panning, photo
from tests.support.fakes_mqtt import SwitchedBroker

FPS, ANALYSES = 15, 5
CONNECT_S = 60.0  # for all cameras to send, on a machine with much else to do
SETTLE_S = 10.0  # until idle cameras have calmed down, before anything is measured
MOST_LAG_MS = 500.0
OFTEN = 0.95  # of the frames wait no longer; and of those wanted are given
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Measured(LoadShedder):
    """Writes down every frame's lag beside doing its work."""

    lags: list[float] = field(default_factory=list)

    def note(self, lags_s: Collection[float], busy_s: float, now: float) -> None:
        """See LoadShedder."""
        self.lags.extend(lags_s)
        LoadShedder.record_batch(self, lags_s, busy_s, now)


def room(width: int, height: int) -> Iterator[Pixels]:
    """An empty scene, in which only noise moves."""
    scene = cv2.resize(photo("bus")[:200], (width, height)).astype(np.int16)
    rng = np.random.default_rng(0)
    for _ in range(10 * FPS):
        noise = rng.integers(-3, 4, scene.shape, dtype=np.int16)
        yield np.asarray(np.clip(scene + noise, 0, 255), np.uint8)


def shown(video: Path, width: int, height: int) -> Iterator[Pixels]:
    """The first ten seconds of a video at the camera's rate and size."""
    with av.open(str(video)) as container:
        every = float(container.streams.video[0].average_rate or FPS) / FPS
        due = itertools.count(0, every)
        wanted = next(due)
        for n, frame in enumerate(
            itertools.islice(container.decode(video=0), int(10 * FPS * every))
        ):
            while n >= wanted:
                wanted = next(due)
                pixels = frame.to_ndarray(width=width, height=height, format="bgr24")
                yield np.asarray(pixels, np.uint8)


def encoded(path: Path, pictures: Iterator[Pixels]) -> Path:
    """As a camera would send them."""
    options = {"preset": "veryfast", "crf": "26", "bf": "0", "g": str(2 * FPS)}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        for n, picture in enumerate(pictures):
            if n == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


class Box:
    """A daemon's readers, analyst and judge, without a broker."""

    def __init__(self, urls: list[str], loaded: Models, folder: Path, stack: ExitStack) -> None:
        clock, bell = SystemClock(), threading.Event()
        self.stop = StopSwitch()
        cameras = {CameraId(f"camera-{n}"): url for n, url in enumerate(urls)}
        demand = {c: CameraDemand(ANALYSES, key_frames_only=True) for c in cameras}
        settings = PipelineSettings(
            Tracking(), Scheduler(), Policy(), folder / "evidence", Economy()
        )
        zones = dict.fromkeys(cameras)
        self.pipeline, judge = build_pipeline(settings, zones, loaded, clock, bell, demand)
        boxes = {camera: Mailbox[Frame](1, bell=bell) for camera in cameras}
        self.readers = {}
        for camera, url in cameras.items():
            given = Camera(source=RtspSource(kind="rtsp", url=url), analysis_fps=ANALYSES)
            source = build_source(camera, given, clock, self.stop, demand[camera])
            self.readers[camera] = Reader(source, boxes[camera], Backoff(0.5, 3), clock)
        outbox = stack.enter_context(Outbox(folder / "outbox"))
        retained = RetainedPublisher(SwitchedBroker(), "site")
        buffered = BufferedOutbox(outbox, clock, on_failure=lambda _: None)
        dispatch = AlertDispatch(
            "site", buffered, retained, OpenAlerts(retained, "site", cameras), clock
        )
        self.shedder = Measured(demand, Economy().least_fps)
        analyst = Analyst(
            self.pipeline, boxes, bell, clock, dispatch, SnapshotRequests(bell), self.shedder
        )
        self.workers = [
            *(Worker(f"read-{c}", r.run, self.stop) for c, r in self.readers.items()),
            Worker("analyst", analyst.run, self.stop),
            Worker("judge", judge.run, self.stop),
        ]

    def _wait_for_all(self) -> None:
        """Until every camera sends, or for as long as anybody would wait for that."""
        end = time.monotonic() + CONNECT_S
        while time.monotonic() < end and any(
            reader.status().state is not StreamState.STREAMING for reader in self.readers.values()
        ):
            time.sleep(0.2)

    def measure(self, seconds: float, server: int) -> "Line":
        """Run, and give one line of the table; ``server`` is the cameras' process."""
        for worker in self.workers:
            worker.start()
        self._wait_for_all()
        time.sleep(SETTLE_S)
        self.shedder.lags.clear()
        skipped = sum(stages.gate.skipped for stages in self.pipeline.cameras.values())
        came = sum(reader.status().decoded for reader in self.readers.values())
        served = processor_s(server)
        cpu, started = time.process_time(), time.monotonic()
        time.sleep(seconds)
        passed, cpu = time.monotonic() - started, time.process_time() - cpu
        served = processor_s(server) - served
        lags = np.array(self.shedder.lags or [np.nan])
        came = sum(reader.status().decoded for reader in self.readers.values()) - came
        skipped = sum(stages.gate.skipped for stages in self.pipeline.cameras.values()) - skipped
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20
        self.stop.request()
        for worker in self.workers:
            worker.join(10)
        count = len(self.readers)
        return Line(
            came / passed / count,
            len(self.shedder.lags) / passed / count,
            (len(self.shedder.lags) - skipped) / passed / count,
            1000 * float(np.median(lags)),
            1000 * float(np.percentile(lags, 100 * OFTEN)),
            100 * cpu / passed / count,
            100 * served / passed,
            resident,
            self.shedder.share,
        )


@dataclass(frozen=True)
class Line:
    """What was measured with one number of cameras; rates and processor time are of one."""

    came: float  # pictures a second
    given: float  # of them to the analyst
    looked: float  # of those to the detector
    median_ms: float  # lag
    often_ms: float
    cpu: float  # % of a core
    server: float  # % of a core, all cameras' together
    resident_mib: float
    share: float  # of the wanted rate, as shed
    busy: bool = True  # idle cameras are looked at now and then only

    @property
    def holds(self) -> bool:
        """Whether nothing waited long, and nothing was shed or passed over so that it did not."""
        often = self.given >= OFTEN * ANALYSES
        return self.often_ms <= MOST_LAG_MS and self.share >= OFTEN and (often or not self.busy)

    def __str__(self) -> str:
        return (
            f"{self.came:9.1f}{self.given:9.2f}{self.looked:10.2f}{self.median_ms:9.0f}"
            f"{self.often_ms:9.0f}{self.cpu:9.1f}{self.server:9.0f}{self.resident_mib:9.0f}"
            f"{self.share:7.2f}{'yes' if self.holds else 'no':>7}"
        )


HEAD = (
    "cameras      shown   came/s  given/s  looked/s   p50 ms   p95 ms  cpu %/1   server      MiB"
    "  share  holds"
)


def processor_s(pid: int) -> float:
    """Seconds of a core that a process has had so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def numbers(text: str) -> list[int]:
    """Of cameras, as they are given on the command line."""
    return [int(number) for number in text.split(",") if number]


def clips(folder: Path, video: Path | None, width: int, height: int) -> dict[str, Path]:
    """What busy and idle cameras show."""
    busy = shown(video, width, height) if video else panning(10 * FPS, width=width, height=height)
    return {
        "busy": encoded(folder / "busy.mp4", busy),
        "idle": encoded(folder / "idle.mp4", room(width, height)),
    }


def main() -> None:
    """Print one line for each number of cameras, busy and idle, and the most that hold."""
    parser = argparse.ArgumentParser(description="How many cameras one machine can watch.")
    parser.add_argument("--busy", type=numbers, default="8,12,16,24,32")
    parser.add_argument("--idle", type=numbers, default="32,64,100")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--video", type=Path)
    asked = parser.parse_args()
    width, height = (int(side) for side in asked.size.split("x"))
    heap.limit_heaps()  # as the daemon does
    logging.basicConfig(level=logging.ERROR)  # overload is what this is about
    loaded = load_models(EmbeddedDetector(), EmbeddedJudgeSettings(), SystemClock())
    print(HEAD)  # noqa: T201
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, clip in clips(folder, asked.video, width, height).items():
            most = 0
            for count in getattr(asked, kind):
                place = folder / f"{kind}-{count}"
                place.mkdir()
                with ManyCameras(clip) as server, ExitStack() as stack:
                    box = Box([server.url] * count, loaded, place, stack)
                    line = replace(box.measure(asked.seconds, server.pid), busy=kind == "busy")
                print(f"{count:7} {kind:>10}{line}", flush=True)  # noqa: T201
                most = max(most, count if line.holds else 0)
            print(f"{kind}: {most} hold, of the numbers tried", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
