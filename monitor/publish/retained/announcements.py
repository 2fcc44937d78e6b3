"""Retained announcements: published, and cleared for cameras that were removed."""

import logging
from collections.abc import Collection, Mapping

from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish import Broker
from monitor.publish.outbox.saved_state import SavedState

log = logging.getLogger(__name__)


class RetainedAnnouncements:
    """Our retained messages; clears those of cameras that were removed.

    Args:
        publisher: Publishes the messages.
        saved_state: Remembers the topics across restarts.
        announcements: Payloads to publish, by topic.
        other_topics: Topics of retained messages that are published elsewhere.
    """

    def __init__(
        self,
        publisher: Broker,
        saved_state: SavedState,
        announcements: Mapping[str, bytes],
        other_topics: Collection[str],
    ) -> None:
        self._publisher = publisher
        self._saved_state = saved_state
        self._announcements = announcements
        self._topics = {*announcements, *other_topics}

    def clear_removed(self) -> None:
        """Clear the retained messages of cameras that are no longer configured.

        Raises:
            PublishError: The broker or the disk refuses; try again.
        """
        self._saved_state.save_retained_topics(self._topics)
        for topic in sorted(self._saved_state.read_retained_topics() - self._topics):
            if self._publish(topic, b""):
                self._saved_state.delete_retained_topic(topic)
                log.info("%s: cleared", topic)

    def publish_all(self) -> None:
        """Publish all announcements.

        Raises:
            BrokerUnavailableError: The connection was lost; try again.
        """
        for topic, payload in self._announcements.items():
            self._publish(topic, payload)

    @property
    def topic_prefixes(self) -> tuple[str, ...]:
        """The first levels of our topics."""
        return tuple({topic.partition("/")[0] + "/" for topic in self._topics})

    def _publish(self, topic: str, payload: bytes) -> bool:
        """Publish one message. False if the broker refuses it; others are still published."""
        try:
            self._publisher.publish(topic, payload, retain=True)
        except BrokerUnavailableError:
            raise
        except PublishError as error:
            log.warning("%s: not announced: %s", topic, error)
            return False
        return True
