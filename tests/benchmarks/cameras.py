"""How many cameras one machine can watch.

    python -m tests.benchmarks.cameras [COUNTS] [SECONDS] [SIZE] [VIDEO]

COUNTS as 8,16,32; SIZE as 640x360. Real RTSP cameras at 15 pictures a second with a key frame
every two seconds, on loopback; the embedded models; five pictures a second wanted of each. Busy
cameras show the video (a made one pans over a photo), idle ones a room with a sensor's noise.
The server's own work is not counted, though it takes its part of the same machine.
"""

import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

from monitor.build import Models, Watch, build_pipeline, build_source, models
from monitor.config.economy import Economy
from monitor.config.judges import Desk, EmbeddedJudge
from monitor.config.policy import Policy
from monitor.config.schema import EmbeddedDetector, Tracking
from monitor.config.sources import Camera, RtspSource
from monitor.controls import PictureDesk
from monitor.daemon import Analyst, Dispatch
from monitor.domain import CameraId, Frame, Pixels
from monitor.ingest.attention import Attention
from monitor.ingest.load import Load
from monitor.ingest.reader import Reader
from monitor.publish.covered import CoveredBoard
from monitor.publish.outbox import Outbox
from monitor.publish.shelf import Shelf
from monitor.publish.states import StateBoard
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.clips import panning, photo
from tests.rtsp_server import RtspServer
from tests.unit.test_daemon import Silent

FPS, ANALYSES = 15, 5
SETTLE_S = 12.0  # until idle cameras have calmed down, before anything is measured
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Measured(Load):
    """Writes down every frame's lag beside doing its work."""

    lags: list[float] = field(default_factory=list)

    def note(self, lags_s: Collection[float], busy_s: float, now: float) -> None:
        """See Load."""
        self.lags.extend(lags_s)
        Load.note(self, lags_s, busy_s, now)


def room(width: int, height: int) -> Iterator[Pixels]:
    """Nobody, and nothing that moves but the noise."""
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
        attention = {c: Attention(ANALYSES, key_frames_only=True) for c in cameras}
        watch = Watch(Tracking(), Desk(), Policy(), folder / "evidence", Economy())
        zones = dict.fromkeys(cameras)
        self.pipeline, judge = build_pipeline(watch, zones, loaded, clock, bell, attention)
        boxes = {camera: Mailbox[Frame](1, bell=bell) for camera in cameras}
        self.readers = {}
        for camera, url in cameras.items():
            settings = Camera(source=RtspSource(kind="rtsp", url=url), analysis_fps=ANALYSES)
            source = build_source(camera, settings, clock, self.stop, attention[camera])
            self.readers[camera] = Reader(source, boxes[camera], Backoff(0.5, 3), clock)
        outbox = stack.enter_context(Outbox(folder / "outbox"))
        board = StateBoard(Silent(), "site")
        shelf = Shelf(outbox, clock, on_trouble=lambda _: None)
        dispatch = Dispatch("site", shelf, board, CoveredBoard(board, "site", cameras), clock)
        self.load = Measured(attention, Economy().least_fps)
        analyst = Analyst(self.pipeline, boxes, bell, clock, dispatch, PictureDesk(bell), self.load)
        self.workers = [
            *(Worker(f"read-{c}", r.run, self.stop) for c, r in self.readers.items()),
            Worker("analyst", analyst.run, self.stop),
            Worker("judge", judge.run, self.stop),
        ]

    def measure(self, seconds: float) -> str:
        """Run, and give one line of the table."""
        for worker in self.workers:
            worker.start()
        time.sleep(SETTLE_S)
        self.load.lags.clear()
        spared = sum(lane.gate.spared for lane in self.pipeline.lanes.values())
        came = sum(reader.status().decoded for reader in self.readers.values())
        cpu, started = time.process_time(), time.monotonic()
        time.sleep(seconds)
        passed, cpu = time.monotonic() - started, time.process_time() - cpu
        lags = np.array(self.load.lags or [np.nan])
        came = sum(reader.status().decoded for reader in self.readers.values()) - came
        spared = sum(lane.gate.spared for lane in self.pipeline.lanes.values()) - spared
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20
        self.stop.request()
        for worker in self.workers:
            worker.join(10)
        count = len(self.readers)
        return (
            f"{came / passed / count:9.1f}{len(self.load.lags) / passed / count:9.2f}"
            f"{(len(self.load.lags) - spared) / passed / count:10.2f}"
            f"{1000 * np.median(lags):9.0f}{1000 * np.percentile(lags, 95):9.0f}"
            f"{100 * cpu / passed / count:9.1f}{resident:9.0f}{self.load.share:7.2f}"
        )


def main() -> None:
    """Print one line for each number of cameras, busy and idle."""
    given = dict(enumerate(sys.argv[1:]))
    counts = [int(count) for count in given.get(0, "8,16,32").split(",")]
    seconds = float(given.get(1, "30"))
    width, height = (int(side) for side in given.get(2, "640x360").split("x"))
    loaded = models(EmbeddedDetector(), EmbeddedJudge(), SystemClock())
    print(  # noqa: T201
        "cameras      shown came/s  given/s looked/s   p50 ms   p95 ms  cpu %/1   MiB   share"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        busy = (
            shown(Path(given[3]), width, height)
            if 3 in given
            else panning(10 * FPS, width=width, height=height)
        )
        clips = {
            "busy": encoded(folder / "busy.mp4", busy),
            "idle": encoded(folder / "idle.mp4", room(width, height)),
        }
        for (kind, clip), count in itertools.product(clips.items(), counts):
            with RtspServer(clip) as server, ExitStack() as stack:
                place = folder / f"{kind}-{count}"
                place.mkdir()
                line = Box([server.url] * count, loaded, place, stack).measure(seconds)
            print(f"{count:7} {kind:>10}{line}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
