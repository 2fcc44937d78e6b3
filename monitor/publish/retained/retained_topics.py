"""What the broker keeps for whoever comes later: each camera's state, picture and open alerts."""

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

POLL_S = 0.2  # how late a stop or a reconnect may be noticed
ATTEMPTS = 3  # a message that the connection broke over this often is set aside, as one refused
AGAIN_S = 60.0  # what was set aside is tried again after this long: rights may have been granted

_ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True)
class _Retained:
    """The newest message of one topic."""

    payload: bytes
    expiry_s: int | None


class RetainedPublisher:
    """Publishes retained messages, of each topic only the newest. Thread-safe.

    ``post`` and ``snapshot`` only leave a note and return at once; ``run``, on a thread of
    its own, does the talking. While the broker is away nothing is queued: after every
    reconnect the newest message of every topic is sent, once.

    Args:
        publisher: Who takes the messages.
        site: The name in the topics.
        expiry_s: Seconds after which the broker forgets a state; pictures stay.
        again_s: Before what the broker refused is tried again.
    """

    def __init__(
        self, publisher: Broker, site: str, *, expiry_s: int = 120, again_s: float = AGAIN_S
    ) -> None:
        self._publisher = publisher
        self._site = site
        self._expiry_s = expiry_s
        self._again_s = again_s
        self._changed = threading.Condition()  # guards the three below
        self._newest: dict[str, _Retained] = {}  # by topic
        self._due: dict[str, int] = {}  # topics to be sent, and attempts so far; in order
        self._aside: dict[str, float] = {}  # topics, and when to try them again
        self._connections = 0  # that have seen everything; of run's thread

    def post(self, state: CameraState) -> None:
        """Note a camera's state."""
        topic = state_topic(self._site, state.camera)
        self._leave(topic, _Retained(encode_state(state), self._expiry_s))

    def keep(self, topic: str, payload: bytes) -> None:
        """Note what else the broker is to keep, on a topic of its own, until it is replaced."""
        self._leave(topic, _Retained(payload, None))

    def snapshot(self, camera: CameraId, jpeg: bytes) -> None:
        """Note the picture of a camera's latest alert."""
        self._leave(snapshot_topic(self._site, camera), _Retained(jpeg, None))

    def run(self, stop: Stop) -> None:
        """Publish what is noted until stop is requested."""
        while not stop.requested:
            with self._changed:
                self._changed.wait_for(lambda: self._due and self._publisher.connected, POLL_S)
            self._notice_reconnect()
            self._notice_aside()
            if not self._publisher.connected or not self._publish_due(stop):
                stop.wait(POLL_S)

    def _leave(self, topic: str, message: _Retained) -> None:
        with self._changed:
            self._newest[topic] = message
            self._due[topic] = 0
            self._aside.pop(topic, None)
            self._changed.notify()

    def _notice_aside(self) -> None:
        now = time.monotonic()
        with self._changed:
            for topic in [t for t, at in self._aside.items() if at <= now]:
                del self._aside[topic]
                self._due[topic] = 0

    def _notice_reconnect(self) -> None:
        """After a reconnect everything is due: the broker may have forgotten it."""
        connections = self._publisher.connections
        if connections == self._connections:
            return
        self._connections = connections
        with self._changed:
            fit = (topic for topic in self._newest if topic not in self._aside)
            self._due = dict.fromkeys(fit, 0) | self._due

    def _publish_due(self, stop: Stop) -> bool:
        """Send what is due. False if the broker went away meanwhile."""
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
                self._put_back(topic, attempts + 1, error)
                return False
            except PublishError as error:
                self._set_aside(topic, error)
        return True

    def _put_back(self, topic: str, attempts: int, error: PublishError) -> None:
        if attempts >= ATTEMPTS:
            self._set_aside(topic, error)
            return
        with self._changed:
            self._due.setdefault(topic, attempts)  # a newer message starts afresh

    def _set_aside(self, topic: str, error: PublishError) -> None:
        log.warning("%s: not published: %s", topic, error)
        with self._changed:
            if topic not in self._due:  # nothing newer has come meanwhile
                self._aside[topic] = time.monotonic() + self._again_s


class OpenAlerts:
    """Keeps count of open alerts and publishes it. Owned by one thread.

    Args:
        retained: Keeps the newest message of each camera at the broker.
        site: The name in the topics.
        cameras: None of them has an open alert yet, and that is said.
    """

    def __init__(self, retained: RetainedPublisher, site: str, cameras: Iterable[CameraId]) -> None:
        self._retained = retained
        self._site = site
        self._open: dict[CameraId, dict[UUID, Alert]] = {camera: {} for camera in cameras}
        for camera in self._open:
            self._tell(camera, None)

    def note(self, alert: Alert) -> None:
        """Take in one alert's new state."""
        standing = self._open.setdefault(alert.camera, {})
        standing.pop(alert.id, None)
        if not alert.state.is_final:
            standing[alert.id] = alert
        self._tell(alert.camera, alert.covering)

    def _tell(self, camera: CameraId, last: Covering | None) -> None:
        standing = list(self._open[camera].values())
        body = CoveredV1(
            camera=camera,
            covered=bool(standing),
            alerts=len(standing),
            covering=standing[-1].covering if standing else None,
            severity=max((a.severity for a in standing), key=_ORDER.index, default=None),
            last_covering=last,
        )
        self._retained.keep(covered_topic(self._site, camera), encode_model(body))
