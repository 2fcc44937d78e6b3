"""All parts between this program and the broker."""

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from monitor.config.schema import Config
from monitor.domain import CameraId
from monitor.errors import OutboxError
from monitor.publish.contract import homeassistant as ha
from monitor.publish.contract.frigate import FrigateFormat
from monitor.publish.contract.payload import (
    command_topic,
    covered_topic,
    encode_ended,
    health_topic,
    snapshot_topic,
    state_topic,
    status_topic,
)
from monitor.publish.mqtt.command_queue import CommandQueue
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.relay import OutboxRelay
from monitor.publish.outbox.saved_state import SavedState
from monitor.publish.retained.announcements import RetainedAnnouncements
from monitor.publish.retained.commands import CommandExecutor, CommandHandler
from monitor.publish.retained.health import HealthReporter
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker

log = logging.getLogger(__name__)

_LAST_ALERTS_S = 2.0  # for sending alerts that end with the program
_POLL_S = 0.02
_BROKER_PAUSE = (0.1, 2.0)  # seconds between tries of the broker, first and longest
_MISSED_STATES = 3  # a camera's state expires after this many missed updates
_MEGABYTE = 1_000_000
_DAY_S = 86_400.0


class MqttService:
    """Within the block, the outbox and the connection to the broker.

    Raises:
        ConfigError: A password file or a certificate is missing.
        OutboxError: The outbox cannot be used at all.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        mqtt, site = config.mqtt, config.site
        self._config = config
        self._clock = clock
        self._commands = CommandQueue(
            [
                command_topic(site, "+"),
                *([ha.birth_topic(mqtt.discovery_prefix)] if mqtt.home_assistant else []),
            ]
        )
        self._publisher = MqttPublisher(mqtt, site, self._commands)
        expiry_s = round(_MISSED_STATES * mqtt.state_every_s)
        self.retained = RetainedPublisher(self._publisher, site, expiry_s=max(expiry_s, 120))
        self.health = HealthReporter(self.retained, site, clock)
        self.outbox = Outbox(
            config.outbox,
            max_bytes=config.outbox_max_mb * _MEGABYTE,
            on_damage=self.health.report_damage,
        )
        self.saved_state = SavedState(self.outbox.file)
        self.buffered = BufferedOutbox(self.outbox, clock, self._report_disk)
        self._relay = OutboxRelay(
            self.buffered,
            self._publisher,
            Backoff(*_BROKER_PAUSE),
            clock=clock,
            late_after_s=mqtt.late_after_s,
            expendable_s=config.outbox_note_days * _DAY_S,
        )
        self.frigate = None if mqtt.frigate_prefix is None else FrigateFormat(mqtt.frigate_prefix)
        self._relay_worker: Worker | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.outbox)
        self._end_open_alerts()
        self._stack.enter_context(self._publisher)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us. Thread-safe."""
        return self._publisher.connected

    def build_workers(
        self, executor: CommandExecutor, zones: Mapping[CameraId, str | None], stop: StopSwitch
    ) -> list[Worker]:
        """The workers of all parts, not started.

        Args:
            executor: Carries out commands that arrive over MQTT.
            zones: Every camera, and the name of its place.
            stop: Ends the workers.
        """
        mqtt, site = self._config.mqtt, self._config.site
        prefix = mqtt.discovery_prefix
        discovery = ha.build_discovery(prefix, site, zones) if mqtt.home_assistant else {}
        retained_topics = [
            f(site, c) for c in zones for f in (state_topic, covered_topic, snapshot_topic)
        ]
        if self.frigate is not None:
            retained_topics += [self.frigate.snapshot_topic(camera) for camera in zones]
        retained_topics += [status_topic(site), health_topic(site)]
        announcements = RetainedAnnouncements(
            self._publisher, self.saved_state, discovery, retained_topics
        )
        handler = CommandHandler(
            self._commands, self._publisher, executor, announcements, site=site, clock=self._clock
        )
        self._relay_worker = Worker("outbox-relay", self._relay.run, stop)
        return [
            Worker("retained", self.retained.run, stop),
            self._relay_worker,
            Worker("commands", handler.run, stop),
        ]

    def send_last_alerts(self) -> None:
        """Send the alerts that were decided while the program ended, if connected."""
        if (
            self._relay_worker is not None and not self._relay_worker.running
        ):  # the relay has one owner
            stop, deadline = StopSwitch(), time.monotonic() + _LAST_ALERTS_S
            relay = Worker("last-alerts", self._relay.run, stop)
            relay.start()
            while len(self.buffered) and self._publisher.connected and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            stop.request()
            relay.join(_LAST_ALERTS_S)
        if lost := self.buffered.flush():
            log.error("%d alert messages are lost: the disk refuses them", lost)

    def _end_open_alerts(self) -> None:
        """End the alerts that were open when the program was killed."""
        try:
            open_alerts = self.saved_state.read_unfinished()
        except OutboxError as error:
            log.warning("%s; alerts that were open before stay open", error)
            return
        for message in open_alerts:
            payload = encode_ended(message.payload)
            now, expendable = self._clock.now(), message.expendable
            self.buffered.add(
                OutboxMessage(message.id, message.seq + 1, message.topic, payload, now, expendable)
            )
        if open_alerts:
            log.warning(
                "%d alerts were open when the program ended last; they end now", len(open_alerts)
            )

    def _report_disk(self, trouble: str | None) -> None:
        if trouble is None:
            self.health.clear_problem("outbox_refuses")
        else:
            self.health.report_problem("outbox_refuses", trouble)
