"""Carries out commands for running cameras."""

import logging
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from monitor.domain import CameraId, SubjectId
from monitor.errors import CommandError, EvidenceError, OutboxError
from monitor.ingest.live.reader import Reader
from monitor.pipeline import CameraPipeline
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.record.still import render_still
from monitor.track.bodies import find_private_areas

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0  # for the analyst to render a requested picture
_NO_SUBJECT = SubjectId(-1)  # all heads are hidden


@dataclass(slots=True)
class SnapshotRequests:
    """Takes requests for pictures of cameras. Thread-safe.

    The analyst owns the frames, so its thread renders them.
    """

    bell: threading.Event
    _asked: "queue.SimpleQueue[tuple[CameraId, Future[bytes]]]" = field(
        init=False, default_factory=queue.SimpleQueue
    )

    def request_picture(self, camera: CameraId) -> bytes:
        """The newest frame as JPEG, with every head pixelated.

        Raises:
            CommandError: There is no frame.
        """
        answer: Future[bytes] = Future()
        self._asked.put((camera, answer))
        self.bell.set()
        try:
            return answer.result(TIMEOUT_S)
        except TimeoutError:
            raise CommandError("no picture: nothing is being analysed") from None

    def render_requested(self, cameras: Mapping[CameraId, CameraPipeline]) -> None:
        """Render the requested pictures. Called on the analyst's thread."""
        while not self._asked.empty():
            camera, answer = self._asked.get()
            stages = cameras[camera]
            try:
                answer.set_result(_render_picture(stages))
            except (CommandError, EvidenceError) as error:
                answer.set_exception(CommandError(str(error)))


class Memory(Protocol):
    """Stores which cameras are paused, over restarts. Thread-safe. May raise OutboxError."""

    def read_paused_cameras(self) -> set[str]:
        """The paused cameras."""

    def save_paused(self, camera: str, *, paused: bool) -> None:
        """Store whether a camera is paused."""


@dataclass(frozen=True, slots=True)
class CameraControl:
    """Carries out commands. Thread-safe."""

    readers: Mapping[CameraId, Reader]
    pictures: SnapshotRequests
    retained: RetainedPublisher
    memory: Memory

    def restore_pauses(self) -> None:
        """Pause the cameras that were paused when the program ended."""
        try:
            paused = self.memory.read_paused_cameras()
        except OutboxError as error:
            log.warning("%s; no camera stays paused", error)
            return
        for camera, reader in self.readers.items():
            if camera in paused and reader.live:
                reader.pause()
                log.warning("%s: still paused, as before the restart", camera)

    def execute(self, command: str, camera: CameraId) -> None:
        """Pause or resume a camera, or publish its current picture.

        Raises:
            CommandError: It cannot be done.
        """
        reader = self.readers.get(camera)
        if reader is None:
            raise CommandError("no such camera")
        if command == "snapshot":
            if reader.paused:
                raise CommandError("the camera is paused; resume it first")
            self.retained.put_snapshot(camera, self.pictures.request_picture(camera))
        elif not reader.live:
            raise CommandError("a recording cannot be paused")
        else:
            self._pause(camera, reader, paused=command == "pause")

    def _pause(self, camera: CameraId, reader: Reader, *, paused: bool) -> None:
        if paused:
            reader.pause()
        else:
            reader.resume()
        try:
            self.memory.save_paused(camera, paused=paused)
        except OutboxError as error:
            log.warning("%s: the command is not stored for a restart: %s", camera, error)


def _render_picture(stages: CameraPipeline) -> bytes:
    result = stages.result
    if result is None:
        raise CommandError("no picture has come from this camera yet")
    seen = find_private_areas(result.detections, result.frame.width, result.frame.height)
    return render_still(result.frame, result.subjects, _NO_SUBJECT, seen).snapshot
