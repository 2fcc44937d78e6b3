"""Everything between this program and the broker, opened and kept going."""

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from monitor.config.schema import Config
from monitor.domain import CameraId
from monitor.errors import OutboxError
from monitor.publish.contract import homeassistant as ha
from monitor.publish.contract.frigate import Mirror
from monitor.publish.contract.payload import (
    command_topic,
    covered_topic,
    ended_payload,
    health_topic,
    snapshot_topic,
    state_topic,
    status_topic,
)
from monitor.publish.mqtt.command_queue import Inbox
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.buffered import Shelf
from monitor.publish.outbox.outbox import Message, Outbox
from monitor.publish.outbox.relay import Courier
from monitor.publish.outbox.saved_state import Notes
from monitor.publish.retained.announcements import Guestbook
from monitor.publish.retained.commands import Controls, Steward
from monitor.publish.retained.health import Health
from monitor.publish.retained.retained_topics import StateBoard
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker

log = logging.getLogger(__name__)

_LAST_WORDS_S = 2.0  # what the broker gets for alerts that end with the program
_POLL_S = 0.02
_BROKER_PAUSE = (0.1, 2.0)  # seconds between tries of the broker, first and longest
_KEPT_STATES = 3  # a camera's state expires when this many were not renewed
_MEGABYTE = 1_000_000
_DAY_S = 86_400.0


class Mailroom:
    """The outbox and the connection to the broker, within the block.

    Raises:
        ConfigError: A password file or a certificate is missing.
        OutboxError: The outbox cannot be used at all.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        mqtt, site = config.mqtt, config.site
        self._config = config
        self._clock = clock
        self._inbox = Inbox(
            [
                command_topic(site, "+"),
                *([ha.birth_topic(mqtt.discovery_prefix)] if mqtt.home_assistant else []),
            ]
        )
        self._publisher = MqttPublisher(mqtt, site, self._inbox)
        expiry_s = round(_KEPT_STATES * mqtt.state_every_s)
        self.board = StateBoard(self._publisher, site, expiry_s=max(expiry_s, 120))
        self.health = Health(self.board, site, clock)
        self.outbox = Outbox(
            config.outbox,
            max_bytes=config.outbox_max_mb * _MEGABYTE,
            on_damage=self.health.damaged,
        )
        self.notes = Notes(self.outbox.file)
        self.shelf = Shelf(self.outbox, clock, self._disk)
        self._courier = Courier(
            self.shelf,
            self._publisher,
            Backoff(*_BROKER_PAUSE),
            clock=clock,
            late_after_s=mqtt.late_after_s,
            expendable_s=config.outbox_note_days * _DAY_S,
        )
        self.mirror = None if mqtt.frigate_prefix is None else Mirror(mqtt.frigate_prefix)
        self._carrying: Worker | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.outbox)
        self._end_what_was_left()
        self._stack.enter_context(self._publisher)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def connected(self) -> bool:
        """Whether the broker has us now. Thread-safe."""
        return self._publisher.connected

    def workers(
        self, controls: Controls, zones: Mapping[CameraId, str | None], stop: StopSwitch
    ) -> list[Worker]:
        """The threads that keep it going.

        Args:
            controls: Carries out what is asked for over MQTT.
            zones: Every camera, and the name of its place.
            stop: Ends them.
        """
        mqtt, site = self._config.mqtt, self._config.site
        shown = ha.discovery(mqtt.discovery_prefix, site, zones) if mqtt.home_assistant else {}
        kept = [f(site, c) for c in zones for f in (state_topic, covered_topic, snapshot_topic)]
        if self.mirror is not None:
            kept += [self.mirror.snapshot_topic(camera) for camera in zones]
        kept += [status_topic(site), health_topic(site)]
        guestbook = Guestbook(self._publisher, self.notes, shown, kept)
        steward = Steward(
            self._inbox, self._publisher, controls, guestbook, site=site, clock=self._clock
        )
        self._carrying = Worker("courier", self._courier.run, stop)
        return [
            Worker("board", self.board.run, stop),
            self._carrying,
            Worker("steward", steward.run, stop),
        ]

    def last_words(self) -> None:
        """Send what was decided while the program ended, if the broker is there."""
        if self._carrying is not None and not self._carrying.running:  # it has one owner
            stop, deadline = StopSwitch(), time.monotonic() + _LAST_WORDS_S
            courier = Worker("last words", self._courier.run, stop)
            courier.start()
            while len(self.shelf) and self._publisher.connected and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            stop.request()
            courier.join(_LAST_WORDS_S)
        if lost := self.shelf.settle():
            log.error("%d alert messages are lost: the disk refuses them", lost)

    def _end_what_was_left(self) -> None:
        """Alerts that were open when the program was killed: nobody follows them any more."""
        try:
            left = self.notes.unfinished()
        except OutboxError as error:
            log.warning("%s; alerts that were open before stay open", error)
            return
        for message in left:
            payload = ended_payload(message.payload)
            now, expendable = self._clock.now(), message.expendable
            self.shelf.add(
                Message(message.id, message.seq + 1, message.topic, payload, now, expendable)
            )
        if left:
            log.warning("%d alerts were open when the program ended last; they end now", len(left))

    def _disk(self, trouble: str | None) -> None:
        if trouble is None:
            self.health.clear("outbox_refuses")
        else:
            self.health.report("outbox_refuses", trouble)
