"""``monitor run``: cameras in, alerts out, until a signal stops it."""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.build import (
    Models,
    PipelineSettings,
    build_pipeline,
    build_source,
    build_verifier_workers,
)
from monitor.config.schema import Config
from monitor.daemon.alert_dispatch import AlertDispatch
from monitor.daemon.analyst import Analyst, build_analyst_loop
from monitor.daemon.camera_control import CameraControl, SnapshotRequests
from monitor.daemon.metrics import DaemonStatus
from monitor.daemon.mqtt_service import MqttService
from monitor.daemon.status_reporter import AnalysisStatus, StatusReporter
from monitor.domain import CameraId, Frame, StreamState
from monitor.inference.inference import Inference
from monitor.ingest import Source
from monitor.ingest.live.reader import Reader
from monitor.ingest.watch.demand import CameraDemand
from monitor.ingest.watch.load_shedder import LoadShedder
from monitor.judge.locked import SharedJudge
from monitor.publish.retained.retained_topics import OpenAlerts
from monitor.publish.retained.tampering import TamperAlerts
from monitor.record.retention import Retention
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock, SystemClock
from monitor.runtime.heap import Trimmer
from monitor.runtime.mailbox import Mailbox
from monitor.runtime.stop import StopSwitch
from monitor.runtime.supervisor import supervise
from monitor.runtime.systemd import notify
from monitor.runtime.worker import Worker

if TYPE_CHECKING:
    from monitor.serve.server import Server

_CAMERA_PAUSE = (0.5, 3.0)  # seconds between tries of a camera, first and longest


def run(config: Config, models: Models, clock: Clock | None = None) -> bool:
    """Watch the cameras until a signal comes or all recordings have ended.

    Returns:
        Whether all workers ended in time and without failing, and any source could be read.

    Raises:
        ConfigError: A password file or a certificate is missing.
        OutboxError: The outbox cannot be used at all.
    """
    clock = clock or SystemClock()
    if config.http:  # requests use the judge between two passes for the cameras
        models = replace(models, judge=SharedJudge(models.judge))
    zones = {CameraId(name): camera.zone for name, camera in config.cameras.items()}
    demand = _build_demand(config)
    stop = StopSwitch()
    bell = threading.Event()
    pipeline, judge = build_pipeline(_build_settings(config), zones, models, clock, bell, demand)
    verifiers = build_verifier_workers(pipeline, models)
    boxes: dict[CameraId, Mailbox[Frame]] = {}
    readers: dict[CameraId, Reader] = {}
    sources: dict[CameraId, Source] = {}
    for name, camera in config.cameras.items():
        source = build_source(name, camera, clock, stop, demand[CameraId(name)])
        live = source.traits.live
        box = Mailbox[Frame](1 if live else 2, lossless=not live, bell=bell)
        boxes[CameraId(name)], sources[CameraId(name)] = box, source
        readers[CameraId(name)] = Reader(source, box, Backoff(*_CAMERA_PAUSE), clock)
    pictures = SnapshotRequests(bell)
    with MqttService(config, clock) as mqtt, ExitStack() as stack:
        retention = Retention(config.evidence, config.evidence_days.model_dump(), clock)
        dispatch = _build_dispatch(config.site, mqtt, readers, clock, retention)
        shedder = LoadShedder(demand, config.economy.least_fps)
        analyst = Analyst(pipeline, boxes, bell, clock, dispatch, pictures, shedder)
        every_s = config.mqtt.state_every_s
        tamper_alerts = TamperAlerts(config.site, mqtt.buffered, zones, config.tampering.severity)
        analysis = AnalysisStatus(demand, shedder, tamper_alerts, clock)
        reporter = StatusReporter(
            readers, pipeline, judge, mqtt.retained, mqtt.health, every_s, verifiers, analysis
        )
        control = CameraControl(readers, pictures, mqtt.retained, mqtt.saved_state)
        control.restore_pauses()
        workers = [
            *(Worker(f"read-{camera}", reader.run, stop) for camera, reader in readers.items()),
            Worker("analyst", build_analyst_loop(analyst, mqtt.buffered), stop),
            Worker("judge", judge.run, stop),
            *(Worker(f"verify-{n}", worker.run, stop) for n, worker in enumerate(verifiers)),
            Worker("status", reporter.run, stop),
            *mqtt.build_workers(control, zones, stop),
            Worker("retention", retention.run, stop),
        ]
        status = DaemonStatus(readers, pipeline, judge, mqtt)
        if (server := _open_http_service(config, models, status, stack)) is not None:
            workers.append(Worker("http", server.run, stop))
        notify("READY=1")
        clean = supervise(workers, stop, _build_beat(readers.values(), clock))
        mqtt.send_last_alerts()
    return clean and not all(_is_refused_file(sources[c], r) for c, r in readers.items())


def _build_beat(readers: Iterable[Reader], clock: Clock) -> Callable[[], None]:
    """The function that runs every second while all workers run."""
    trimmer = Trimmer(lambda: sum(reader.status().reconnects for reader in readers), clock)

    def beat() -> None:
        """Notify the watchdog, and return the memory of old connections."""
        notify("WATCHDOG=1")
        trimmer.trim_if_due()

    return beat


def _build_dispatch(
    site: str, mqtt: MqttService, cameras: Iterable[CameraId], clock: Clock, retention: Retention
) -> AlertDispatch:
    covered = OpenAlerts(mqtt.retained, site, cameras)
    return AlertDispatch(
        site, mqtt.buffered, mqtt.retained, covered, clock, mqtt.frigate, retention
    )


def _build_settings(config: Config) -> PipelineSettings:
    """The settings that all cameras share."""
    return PipelineSettings(
        config.tracking,
        config.scheduler,
        config.policy,
        config.evidence,
        config.economy,
        config.verifier,
    )


def _build_demand(config: Config) -> dict[CameraId, CameraDemand]:
    """For each camera, what the analyst asks of its reader."""
    keys, tampering = config.economy.key_frames_only, config.tampering
    return {
        CameraId(name): CameraDemand(
            camera.analysis_fps, key_frames_only=keys, tampering_settings=tampering
        )
        for name, camera in config.cameras.items()
    }


def _open_http_service(
    config: Config, models: Models, status: DaemonStatus, stack: ExitStack
) -> "Server | None":
    """The HTTP API, if configured; ``stack`` closes it."""
    if config.http is None:
        return None
    from monitor.inference.http_service import open_server  # noqa: PLC0415  (takes a second)

    inference = Inference(models, tracking=config.tracking)
    return stack.enter_context(open_server(config.http, inference, status))


def _is_refused_file(source: Source, reader: Reader) -> bool:
    return not source.traits.live and reader.status().state is StreamState.REJECTED
