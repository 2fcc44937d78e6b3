"""What the broker keeps of ours: announced, and taken back when nobody needs it any more."""

import logging
from collections.abc import Collection, Mapping

from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish import Broker
from monitor.publish.outbox.saved_state import SavedState

log = logging.getLogger(__name__)


class RetainedAnnouncements:
    """What the broker keeps of ours, and taking back what nobody needs any more.

    Args:
        publisher: Who takes the messages.
        saved_state: Remembers the topics across restarts.
        shown: What is announced: retained topics and payloads.
        kept: Further topics that others of us keep something on.
    """

    def __init__(
        self,
        publisher: Broker,
        saved_state: SavedState,
        shown: Mapping[str, bytes],
        kept: Collection[str],
    ) -> None:
        self._publisher = publisher
        self._saved_state = saved_state
        self._shown = shown
        self._kept = {*shown, *kept}

    def tidy(self) -> None:
        """Take back what was kept for cameras that are no longer configured.

        Raises:
            PublishError: The broker or the disk would not have it; try again.
        """
        self._saved_state.save_retained_topics(self._kept)
        for topic in sorted(self._saved_state.read_retained_topics() - self._kept):
            if self._tell(topic, b""):
                self._saved_state.delete_retained_topic(topic)
                log.info("%s: taken back", topic)

    def announce(self) -> None:
        """Publish all that is announced.

        Raises:
            BrokerUnavailableError: The broker went away; try again.
        """
        for topic, payload in self._shown.items():
            self._tell(topic, payload)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What topics of ours begin with."""
        return tuple({topic.partition("/")[0] + "/" for topic in self._kept})

    def _tell(self, topic: str, payload: bytes) -> bool:
        """Whether the broker has it. One topic that it refuses does not keep back the others."""
        try:
            self._publisher.publish(topic, payload, retain=True)
        except BrokerUnavailableError:
            raise
        except PublishError as error:
            log.warning("%s: not announced: %s", topic, error)
            return False
        return True
