"""Stores and publishes each new state of an alert."""

import logging
from dataclasses import dataclass

from monitor.domain import Severity
from monitor.pipeline import Change
from monitor.publish.contract.frigate import FrigateFormat
from monitor.publish.contract.payload import alert_topic, encode_alert
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import OutboxMessage
from monitor.publish.retained.retained_topics import OpenAlerts, RetainedPublisher
from monitor.record.retention import Retention
from monitor.runtime.clock import Clock

log = logging.getLogger(__name__)


@dataclass(slots=True)
class AlertDispatch:
    """Stores the analyst's alerts on disk and publishes their pictures. Owned by one thread."""

    site: str
    buffered: BufferedOutbox
    retained: RetainedPublisher
    covered: OpenAlerts
    clock: Clock
    frigate: FrigateFormat | None = None
    retention: Retention | None = None

    def publish_change(self, change: Change) -> None:
        """Store one alert's new state for sending, and publish its picture."""
        alert = change.alert
        log.info(
            "%s: alert %s %s: %s, %s, probability %.2f",
            alert.camera,
            alert.id,
            alert.state,
            alert.severity,
            alert.covering,
            alert.probability,
        )
        topic = alert_topic(self.site, alert.camera)
        payload = encode_alert(self.site, alert)
        note, over = alert.severity is Severity.NOTE, alert.state.is_final
        self.buffered.add(
            OutboxMessage(alert.id, alert.seq, topic, payload, self.clock.now(), note, not over)
        )
        self.covered.record_alert(alert)
        if self.retention is not None:
            self.retention.record_outcome(alert)
        if change.pictures is not None:
            self.retained.put_snapshot(alert.camera, change.pictures.snapshot)
        if self.frigate is not None:
            for message in self.frigate.build_messages(alert, self.clock.now()):
                self.buffered.add(message)
            if change.pictures is not None:
                topic = self.frigate.snapshot_topic(alert.camera)
                self.retained.put(topic, change.pictures.snapshot)
