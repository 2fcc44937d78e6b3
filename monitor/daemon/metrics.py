"""The daemon's state for ``/readyz`` and ``/metrics``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from monitor.daemon.mqtt_service import MqttService
from monitor.domain import CameraId, StreamState
from monitor.ingest.live.reader import Reader, ReaderStatus
from monitor.judge.schedule.judge_worker import JudgeWorker
from monitor.pipeline import Pipeline
from monitor.serve import Metric

_CAMERA_METRICS: Final[tuple[tuple[str, str, Callable[[ReaderStatus], float]], ...]] = (
    (
        "monitor_camera_streaming",
        "1 while the camera sends frames, else 0.",
        lambda status: float(status.state is StreamState.STREAMING),
    ),
    (
        "monitor_camera_fps",
        "Frames decoded per second, over the last seconds.",
        lambda status: status.fps,
    ),
    ("monitor_camera_frames_total", "Frames decoded.", lambda status: float(status.decoded)),
    (
        "monitor_camera_reconnects_total",
        "Connections after the first.",
        lambda status: float(status.reconnects),
    ),
)
_FINE: Final = frozenset({StreamState.STREAMING, StreamState.PAUSED, StreamState.ENDED})


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """See Status. Reads the other parts' own numbers; stores nothing."""

    readers: Mapping[CameraId, Reader]
    pipeline: Pipeline
    judge: JudgeWorker
    mqtt: MqttService

    def list_problems(self) -> Iterable[str]:
        """See Status: ``frames``, ``judge``, ``broker``, ``outbox``."""
        if any(reader.status().state not in _FINE for reader in self.readers.values()):
            yield "frames"
        if self.judge.trouble is not None:
            yield "judge"
        if not self.mqtt.connected:
            yield "broker"
        if self.mqtt.buffered.unsaved:
            yield "outbox"

    def collect_metrics(self) -> Iterable[Metric]:
        """See Status."""
        statuses = {camera: reader.status() for camera, reader in self.readers.items()}
        for name, help_text, measure in _CAMERA_METRICS:
            for camera, status in statuses.items():
                yield Metric(name, help_text, measure(status), {"camera": camera})
        for outcome, count in asdict(self.pipeline.scheduler.counts).items():
            help_text = "Heads offered for judging, by outcome."
            yield Metric("monitor_crops_total", help_text, float(count), {"outcome": outcome})
        yield Metric(
            "monitor_judge_failing",
            "1 while the judge fails, else 0.",
            float(self.judge.trouble is not None),
        )
        yield Metric(
            "monitor_broker_connected",
            "1 while connected to the MQTT broker, else 0.",
            float(self.mqtt.connected),
        )
        yield Metric(
            "monitor_outbox_messages",
            "Alert messages that wait in the outbox.",
            float(len(self.mqtt.buffered)),
        )
