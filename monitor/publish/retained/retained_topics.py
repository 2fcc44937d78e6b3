"""Retained messages: each camera's state, snapshot and open alerts."""

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from monitor.domain import Alert, CameraId, CameraState, Covering, Severity
from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish import Broker
from monitor.publish.contract.models import CoveredV1
from monitor.publish.contract.payload import (
    covered_topic,
    encode_model,
    encode_state,
    snapshot_topic,
    state_topic,
)
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

POLL_S = 0.2  # how late a stop or a reconnect is noticed
MAX_ATTEMPTS = 3  # at a message during which the connection breaks; then it counts as refused
REFUSAL_PAUSE_S = 60.0  # before a refused message is tried again: rights may have been granted

_ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True)
class _Retained:
    """The newest message of one topic."""

    payload: bytes
    expiry_s: int | None


class RetainedPublisher:
    """Publishes retained messages, of each topic only the newest. Thread-safe.

    The ``put`` methods return at once; ``run`` publishes, on a thread of its own. While there
    is no connection nothing is queued: after every reconnect the newest message of every
    topic is sent, once.

    Args:
        publisher: Publishes the messages.
        site: The site's name in the topics.
        expiry_s: Seconds until the broker drops a state; other messages stay.
        refusal_pause_s: Seconds before a refused message is tried again.
    """

    def __init__(
        self,
        publisher: Broker,
        site: str,
        *,
        expiry_s: int = 120,
        refusal_pause_s: float = REFUSAL_PAUSE_S,
    ) -> None:
        self._publisher = publisher
        self._site = site
        self._expiry_s = expiry_s
        self._refusal_pause_s = refusal_pause_s
        self._changed = threading.Condition()  # guards the three below
        self._newest: dict[str, _Retained] = {}  # by topic
        self._due: dict[str, int] = {}  # topics to publish, and attempts so far; in order
        self._paused: dict[str, float] = {}  # refused topics, and when to try them again
        self._connections = 0  # on which everything was published; of run's thread

    def put_state(self, state: CameraState) -> None:
        """Set a camera's state."""
        topic = state_topic(self._site, state.camera)
        self._put(topic, _Retained(encode_state(state), self._expiry_s))

    def put(self, topic: str, payload: bytes) -> None:
        """Set the retained message of any topic."""
        self._put(topic, _Retained(payload, None))

    def put_snapshot(self, camera: CameraId, jpeg: bytes) -> None:
        """Set the picture of a camera's latest alert, as JPEG."""
        self._put(snapshot_topic(self._site, camera), _Retained(jpeg, None))

    def run(self, stop: Stop) -> None:
        """Publish until stop is requested."""
        while not stop.requested:
            with self._changed:
                self._changed.wait_for(lambda: self._due and self._publisher.connected, POLL_S)
            self._requeue_after_reconnect()
            self._requeue_refused()
            if not self._publisher.connected or not self._publish_due(stop):
                stop.wait(POLL_S)

    def _put(self, topic: str, message: _Retained) -> None:
        with self._changed:
            self._newest[topic] = message
            self._due[topic] = 0
            self._paused.pop(topic, None)
            self._changed.notify()

    def _requeue_refused(self) -> None:
        now = time.monotonic()
        with self._changed:
            for topic in [t for t, at in self._paused.items() if at <= now]:
                del self._paused[topic]
                self._due[topic] = 0

    def _requeue_after_reconnect(self) -> None:
        """After a reconnect publish everything again: the broker may have lost it."""
        connections = self._publisher.connections
        if connections == self._connections:
            return
        self._connections = connections
        with self._changed:
            unpaused = (topic for topic in self._newest if topic not in self._paused)
            self._due = dict.fromkeys(unpaused, 0) | self._due

    def _publish_due(self, stop: Stop) -> bool:
        """Publish what is due. False if the connection was lost."""
        while not stop.requested:
            with self._changed:
                if not self._due:
                    return True
                topic = next(iter(self._due))
                attempts = self._due.pop(topic)
                message = self._newest[topic]
            try:
                self._publisher.publish(
                    topic, message.payload, retain=True, expiry_s=message.expiry_s
                )
            except BrokerUnavailableError as error:
                self._retry_later(topic, attempts + 1, error)
                return False
            except PublishError as error:
                self._pause_topic(topic, error)
        return True

    def _retry_later(self, topic: str, attempts: int, error: PublishError) -> None:
        if attempts >= MAX_ATTEMPTS:
            self._pause_topic(topic, error)
            return
        with self._changed:
            self._due.setdefault(topic, attempts)  # a newer message starts again from 0

    def _pause_topic(self, topic: str, error: PublishError) -> None:
        log.warning("%s: not published: %s", topic, error)
        with self._changed:
            if topic not in self._due:  # no newer message has come meanwhile
                self._paused[topic] = time.monotonic() + self._refusal_pause_s


class OpenAlerts:
    """Publishes each camera's open alerts. Owned by one thread.

    Args:
        retained: Publishes the messages.
        site: The site's name in the topics.
        cameras: All cameras; that they have no open alert is published first.
    """

    def __init__(self, retained: RetainedPublisher, site: str, cameras: Iterable[CameraId]) -> None:
        self._retained = retained
        self._site = site
        self._open: dict[CameraId, dict[UUID, Alert]] = {camera: {} for camera in cameras}
        for camera in self._open:
            self._publish_count(camera, None)

    def record_alert(self, alert: Alert) -> None:
        """Record one alert's new state."""
        open_alerts = self._open.setdefault(alert.camera, {})
        open_alerts.pop(alert.id, None)
        if not alert.state.is_final:
            open_alerts[alert.id] = alert
        self._publish_count(alert.camera, alert.covering)

    def _publish_count(self, camera: CameraId, last: Covering | None) -> None:
        open_alerts = list(self._open[camera].values())
        body = CoveredV1(
            camera=camera,
            covered=bool(open_alerts),
            alerts=len(open_alerts),
            covering=open_alerts[-1].covering if open_alerts else None,
            severity=max((a.severity for a in open_alerts), key=_ORDER.index, default=None),
            last_covering=last,
        )
        self._retained.put(covered_topic(self._site, camera), encode_model(body))
