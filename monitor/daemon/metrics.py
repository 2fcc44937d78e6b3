"""How the daemon is, as ``/readyz`` and ``/metrics`` tell it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final

from monitor.daemon.mqtt_service import MqttService
from monitor.domain import CameraId, StreamState
from monitor.ingest.live.reader import Reader
from monitor.judge.schedule.judge_worker import JudgeWorker
from monitor.pipeline import Pipeline
from monitor.serve import Metric

_FINE: Final = frozenset({StreamState.STREAMING, StreamState.PAUSED, StreamState.ENDED})


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """See Status. Everything is read where others write it; nothing is kept here."""

    readers: Mapping[CameraId, Reader]
    pipeline: Pipeline
    judge: JudgeWorker
    mqtt: MqttService

    def problems(self) -> Iterable[str]:
        """See Status: ``frames``, ``judge``, ``broker``, ``outbox``."""
        if any(reader.status().state not in _FINE for reader in self.readers.values()):
            yield "frames"
        if self.judge.trouble is not None:
            yield "judge"
        if not self.mqtt.connected:
            yield "broker"
        if self.mqtt.buffered.unsaved:
            yield "outbox"

    def metrics(self) -> Iterable[Metric]:
        """See Status."""
        yield from self._cameras()
        for count in fields(counts := self.pipeline.scheduler.counts):
            value = float(getattr(counts, count.name))
            said = "What became of the heads that could have been looked at."
            yield Metric("monitor_crops_total", said, value, {"outcome": count.name})
        failing = float(self.judge.trouble is not None)
        yield Metric("monitor_judge_failing", "Whether the judge fails: 1 or 0.", failing)
        connected = float(self.mqtt.connected)
        yield Metric("monitor_broker_connected", "Whether the broker has us: 1 or 0.", connected)
        said = "Alert messages that wait for the broker."
        yield Metric("monitor_outbox_messages", said, float(len(self.mqtt.buffered)))

    def _cameras(self) -> Iterator[Metric]:
        statuses = {camera: reader.status() for camera, reader in self.readers.items()}
        for camera, status in statuses.items():
            streaming = float(status.state is StreamState.STREAMING)
            said = "Whether frames come: 1 or 0."
            yield Metric("monitor_camera_streaming", said, streaming, {"camera": camera})
        for camera, status in statuses.items():
            said = "Pictures decoded a second, lately."
            yield Metric("monitor_camera_fps", said, status.fps, {"camera": camera})
        for camera, status in statuses.items():
            said = "Pictures decoded."
            value = float(status.decoded)
            yield Metric("monitor_camera_frames_total", said, value, {"camera": camera})
        for camera, status in statuses.items():
            said = "Connections made after the first."
            value = float(status.reconnects)
            yield Metric("monitor_camera_reconnects_total", said, value, {"camera": camera})
