"""Trying things out at the broker by hand, beside a daemon that may be running."""

from collections.abc import Iterable
from contextlib import closing
from uuid import uuid4

from monitor.config.schema import Mqtt
from monitor.publish.contract.payload import stamp_payload
from monitor.publish.mqtt.connection import dial
from monitor.publish.mqtt.credentials import MqttCredentials
from monitor.publish.outbox.outbox import OutboxMessage


def probe(settings: Mqtt) -> str:
    """Connect as the daemon would, but under another client id, and leave again.

    Returns:
        The version of MQTT that is spoken.

    Raises:
        ConfigError: A file that the settings name cannot be used.
        BrokerUnavailableError: The broker cannot be reached, or refuses us: why.
    """
    with closing(dial(MqttCredentials.of(settings), _guest())) as connection:
        return connection.version


def delivered(settings: Mqtt, messages: Iterable[OutboxMessage]) -> Iterable[OutboxMessage]:
    """Send messages, one after the other; each is yielded once the broker has it.

    Raises:
        ConfigError: A file that the settings name cannot be used.
        PublishError: The broker cannot be reached, or will not have one of them.
    """
    with closing(dial(MqttCredentials.of(settings), _guest())) as connection:
        for message in messages:
            connection.publish(
                message.topic,
                stamp_payload(message.payload, late=True, publish_ms=0.0),
                properties={"id": str(message.id), "seq": str(message.seq)},
            )
            yield message


def _guest() -> str:
    """Not the daemon's client id: that would throw it out."""
    return f"monitor-probe-{uuid4().hex[:12]}"
