"""What the broker refused while it takes other things, and when to try it again."""

from collections.abc import Collection
from uuid import UUID

from monitor.publish.outbox import Message

LONGEST_S = 60.0  # between tries of one alert that alone is refused


class Patience:
    """Keeps what is refused from holding up the rest. Owned by one thread.

    A refusal may be meant for the whole topic (no right to publish there), or for one message
    (too large, say). So the topic is left alone for a while and then tried with another alert;
    if that one is taken, the first is tried again, and only that one waits, ever longer.

    Args:
        pause_s: Between tries of a topic.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._closed: dict[str, float] = {}  # topics, and when to try them again
        self._open: set[str] = set()  # topics on which the last answer was a yes
        self._held: dict[UUID, tuple[str, float]] = {}  # alerts: their topic, and until when
        self._suspected: dict[UUID, int] = {}  # refused, so often, where others were taken

    @property
    def calm(self) -> bool:
        """Whether nothing is refused at the moment."""
        return not (self._closed or self._suspected)

    def closed(self, now: float, trying: Collection[str]) -> list[str]:
        """Topics to leave alone. One whose time has come is tried with a single message."""
        return [t for t, until in self._closed.items() if now < until or t in trying]

    def held(self, now: float) -> set[UUID]:
        """Alerts to leave alone."""
        return {alert for alert, (_, until) in self._held.items() if now < until}

    def refused(self, message: Message, now: float) -> None:
        """The broker would not have a message."""
        if message.topic in self._open:
            self._open.discard(message.topic)
            times = self._suspected.get(message.id, 0) + 1
            self._suspected[message.id] = times
            pause_s = min(self._pause_s * 2**times, LONGEST_S)
        else:
            self._closed[message.topic] = now + self._pause_s
            pause_s = 2 * self._pause_s  # so that the topic is tried with another alert
        self._held[message.id] = (message.topic, now + pause_s)

    def taken(self, message: Message) -> None:
        """The broker took a message."""
        self._suspected.pop(message.id, None)
        self._held.pop(message.id, None)
        self._closed.pop(message.topic, None)
        if message.topic not in self._open:
            self._open.add(message.topic)
            self._held = {
                alert: (topic, until)
                for alert, (topic, until) in self._held.items()
                if topic != message.topic or alert in self._suspected
            }
