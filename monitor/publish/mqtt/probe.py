"""Using the broker from the command line, beside a daemon that may be running."""

from collections.abc import Iterable
from contextlib import closing
from uuid import uuid4

from monitor.config.schema import Mqtt
from monitor.publish.contract.payload import stamp_payload
from monitor.publish.mqtt.connection import MqttConnection, connect_broker
from monitor.publish.mqtt.credentials import MqttCredentials
from monitor.publish.outbox.outbox import OutboxMessage


def probe_broker(settings: Mqtt) -> str:
    """Connect as the daemon would, but with another client id, and disconnect.

    Returns:
        The version of MQTT in use.

    Raises:
        ConfigError: A file that the settings name cannot be used.
        BrokerUnavailableError: The broker cannot be reached, or refuses the connection.
    """
    with closing(_connect(settings)) as connection:
        return connection.version


def deliver_messages(settings: Mqtt, messages: Iterable[OutboxMessage]) -> Iterable[OutboxMessage]:
    """Send messages one after the other; each is yielded once it is acknowledged.

    Raises:
        ConfigError: A file that the settings name cannot be used.
        PublishError: The broker cannot be reached, or refuses one of them.
    """
    with closing(_connect(settings)) as connection:
        for message in messages:
            connection.publish(
                message.topic,
                stamp_payload(message.payload, late=True, publish_ms=0.0),
                properties={"id": str(message.id), "seq": str(message.seq)},
            )
            yield message


def _connect(settings: Mqtt) -> MqttConnection:
    """Connect with a client id that does not disconnect the daemon."""
    credentials = MqttCredentials.from_settings(settings)
    return connect_broker(credentials, f"monitor-probe-{uuid4().hex[:12]}")
