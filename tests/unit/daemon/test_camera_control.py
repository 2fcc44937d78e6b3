"""Pausing cameras, and asking them for a picture."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from monitor.alert.policy import AlertPolicy
from monitor.config.policy import Policy
from monitor.config.schema import Tracking
from monitor.daemon.camera_control import CameraControl, SnapshotRequests
from monitor.domain import CameraId, Frame, StreamState
from monitor.errors import CommandError, OutboxError
from monitor.ingest import SourceTraits
from monitor.ingest.frames.picture import ArrayPicture
from monitor.ingest.live.reader import Reader
from monitor.pipeline import CameraPipeline, FrameResult
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import Stop, StopSwitch
from monitor.runtime.worker import Worker
from monitor.track.bytetrack import BodyTracker
from tests.support.fakes import YARD, frame, textured
from tests.support.fakes_mqtt import SwitchedBroker
from tests.support.waiting import until

MakeFrame = Callable[[int], Frame]


class SteadySource:
    """A camera that sends frames for as long as it is looked at."""

    def __init__(self, *, live: bool = True) -> None:
        self.traits = SourceTraits("yard", live=live, stall_timeout_s=3.0)
        self.decoded = 0
        self.viewers = 0
        self.most_viewers = 0

    @contextmanager
    def open(self, abandoned: Stop | None = None) -> Iterator[Iterator[Frame]]:
        del abandoned
        self.viewers += 1
        self.most_viewers = max(self.viewers, self.most_viewers)
        try:
            yield self._play()
        finally:
            self.viewers -= 1

    def _play(self) -> Iterator[Frame]:
        while True:
            threading.Event().wait(0.01)
            self.decoded += 1
            yield frame(0.0, ArrayPicture(textured(64, 48)), sequence=self.decoded - 1)


@contextmanager
def running(source: SteadySource) -> Iterator[Reader]:
    stop = StopSwitch()
    reader = Reader(source, Mailbox[Frame](1), Backoff(0.05, 0.1), SystemClock())
    worker = Worker("reader", reader.run, stop)
    worker.start()
    until(lambda: reader.status().state is StreamState.STREAMING)
    yield reader
    stop.request()
    assert worker.join(5)
    assert worker.failure is None


class Slate:
    """Remembers what cameras were told, or refuses to, as a disk that is full does."""

    def __init__(self, *, full: bool = False) -> None:
        self.told: set[str] = set()
        self._full = full

    def read_paused_cameras(self) -> set[str]:
        if self._full:
            raise OutboxError("the disk is full")
        return self.told

    def save_paused(self, camera: str, *, paused: bool) -> None:
        if self._full:
            raise OutboxError("the disk is full")
        (self.told.add if paused else self.told.discard)(camera)


def controls(
    reader: Reader, scheduler: SnapshotRequests | None = None, slate: Slate | None = None
) -> tuple[CameraControl, SwitchedBroker]:
    broker = SwitchedBroker()
    retained = RetainedPublisher(broker, "site")
    pictures = scheduler or SnapshotRequests(threading.Event())
    return CameraControl({YARD: reader}, pictures, retained, slate or Slate()), broker


def test_a_paused_camera_is_left_alone_until_it_is_resumed() -> None:
    source = SteadySource()
    with running(source) as reader:
        commands, _ = controls(reader)
        for _ in range(2):
            commands.execute("pause", YARD)
            assert reader.status().state is StreamState.PAUSED, "at once"
            until(lambda: source.viewers == 0, "the connection to be closed")
            decoded = source.decoded
            threading.Event().wait(0.1)
            assert source.decoded == decoded
            commands.execute("resume", YARD)
            until(lambda: reader.status().state is StreamState.STREAMING)
    assert source.most_viewers == 1, "never two connections at a time"


def test_a_paused_camera_does_not_keep_the_program_from_ending() -> None:
    source = SteadySource()
    with running(source) as reader:
        reader.pause()
        until(lambda: source.viewers == 0, "the connection to be closed")
        assert reader.status().state is StreamState.PAUSED
        asked = time.monotonic()
    assert time.monotonic() - asked < 1, "a paused reader stops at once"


def test_a_paused_camera_stays_paused_over_a_restart_until_it_is_resumed() -> None:
    slate = Slate()
    with running(SteadySource()) as reader:
        controls(reader, slate=slate)[0].execute("pause", YARD)
    with running(SteadySource()) as reader:
        commands, _ = controls(reader, slate=slate)
        commands.restore_pauses()
        assert reader.status().state is StreamState.PAUSED
        commands.execute("resume", YARD)
    with running(SteadySource()) as reader:
        controls(reader, slate=slate)[0].restore_pauses()
        assert reader.status().state is StreamState.STREAMING


def test_a_disk_that_refuses_does_not_keep_a_camera_from_pausing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running(SteadySource()) as reader:
        commands, _ = controls(reader, slate=Slate(full=True))
        commands.restore_pauses()
        assert not reader.paused
        commands.execute("pause", YARD)
        until(lambda: reader.status().state is StreamState.PAUSED)
    assert "yard: the command is not stored for a restart" in caplog.text


def test_what_is_not_a_camera_of_ours_cannot_be_commanded() -> None:
    with running(SteadySource()) as reader:
        commands, _ = controls(reader)
        with pytest.raises(CommandError, match="no such camera"):
            commands.execute("pause", CameraId("cellar"))


def test_a_recording_is_not_paused() -> None:
    with running(SteadySource(live=False)) as reader:
        commands, _ = controls(reader)
        with pytest.raises(CommandError, match="recording"):
            commands.execute("pause", YARD)
        assert not reader.paused


def test_a_paused_camera_shows_no_picture() -> None:
    with running(SteadySource()) as reader:
        commands, _ = controls(reader)
        commands.execute("pause", YARD)
        with pytest.raises(CommandError, match="paused"):
            commands.execute("snapshot", YARD)


def stages() -> CameraPipeline:
    return CameraPipeline(
        BodyTracker(YARD, Tracking()), AlertPolicy(YARD, Policy(), zone=None, lost_after_s=2)
    )


@contextmanager
def analyst(scheduler: SnapshotRequests, of: CameraPipeline) -> Iterator[None]:
    """A thread that owns the frames, and looks at the requests when the bell rings."""
    stop = StopSwitch()

    def serve(stop: StopSwitch) -> None:
        while not stop.requested:
            scheduler.bell.wait(0.05)
            scheduler.bell.clear()
            scheduler.render_requested({YARD: of})

    worker = Worker("analyst", serve, stop)
    worker.start()
    yield
    stop.request()
    assert worker.join(5)


def test_a_picture_is_made_by_its_owner_and_published() -> None:
    scheduler, of = SnapshotRequests(threading.Event()), stages()
    with running(SteadySource()) as reader, analyst(scheduler, of):
        commands, broker = controls(reader, scheduler)
        with pytest.raises(CommandError, match="no picture has come"):
            commands.execute("snapshot", YARD)
        of.result = FrameResult(frame(0.0, ArrayPicture(textured(64, 48))), (), ())
        commands.execute("snapshot", YARD)
        stop = StopSwitch()
        retained = Worker("retained", commands.retained.run, stop)
        retained.start()
        until(lambda: broker.sent)
        stop.request()
        assert retained.join(5)
    topic, payload, _ = broker.sent[0]
    assert topic == "monitor/v1/site/yard/snapshot"
    assert payload.startswith(b"\xff\xd8")


def test_a_picture_that_nobody_makes_is_not_waited_for_for_ever() -> None:
    with pytest.raises(CommandError, match="nothing is being analysed"):
        SnapshotRequests(threading.Event()).request_picture(YARD)
