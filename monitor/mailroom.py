"""Everything between this program and the broker, opened and kept going."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from monitor.config.schema import Config
from monitor.domain import CameraId
from monitor.publish import homeassistant as ha
from monitor.publish.courier import Courier
from monitor.publish.health import Health
from monitor.publish.inbox import Inbox
from monitor.publish.mqtt import MqttPublisher
from monitor.publish.outbox import Outbox
from monitor.publish.payload import command_topic, covered_topic, snapshot_topic, state_topic
from monitor.publish.states import StateBoard
from monitor.publish.steward import Controls, Guestbook, Steward
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import Clock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker

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
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.outbox)
        self._stack.enter_context(self._publisher)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

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
        courier = Courier(
            self.outbox,
            self._publisher,
            Backoff(*_BROKER_PAUSE),
            clock=self._clock,
            late_after_s=mqtt.late_after_s,
            expendable_s=self._config.outbox_note_days * _DAY_S,
        )
        shown = ha.discovery(mqtt.discovery_prefix, site, zones) if mqtt.home_assistant else {}
        kept = [f(site, c) for c in zones for f in (state_topic, covered_topic, snapshot_topic)]
        guestbook = Guestbook(self._publisher, self.outbox, shown, kept)
        steward = Steward(
            self._inbox, self._publisher, controls, guestbook, site=site, clock=self._clock
        )
        return [
            Worker("board", self.board.run, stop),
            Worker("courier", courier.run, stop),
            Worker("steward", steward.run, stop),
        ]
