"""Talking to a broker over TLS, with certificates made on the spot by the openssl command."""

import subprocess
from pathlib import Path

import pytest

from monitor.config.schema import Mqtt, Tls
from monitor.errors import BrokerUnavailableError, ConfigError
from monitor.publish.mqtt.publisher import MqttPublisher
from tests.support.broker import Mosquitto
from tests.support.certificates import certificate
from tests.support.waiting import until


def tls_broker(folder: Path, host: str = "127.0.0.1", *more: str) -> tuple[Mosquitto, Path]:
    """A broker that speaks TLS only, and what to trust."""
    made, key = certificate(folder, "broker", host)
    settings = [f"certfile {made}", f"keyfile {key}", *more]
    return Mosquitto(folder, settings=settings), made


@pytest.mark.broker
def test_a_broker_with_a_trusted_certificate_is_used(tmp_path: Path) -> None:
    broker, trusted = tls_broker(tmp_path)
    with (
        broker,
        MqttPublisher(Mqtt(port=broker.port, tls=Tls(ca_file=trusted)), "site") as publisher,
    ):
        until(lambda: publisher.connected)
        publisher.publish("monitor/v1/site/yard/alert", b"{}")
        broker.restart()
        until(lambda: publisher.connections == 2 and publisher.connected)
        publisher.publish("monitor/v1/site/yard/alert", b"{}")


@pytest.mark.broker
def test_a_broker_that_hangs_over_tls_is_given_up_and_tried_anew(tmp_path: Path) -> None:
    broker, trusted = tls_broker(tmp_path)
    settings = Mqtt(port=broker.port, tls=Tls(ca_file=trusted), ack_timeout_s=0.3)
    with broker, MqttPublisher(settings, "site") as publisher:
        until(lambda: publisher.connected)
        with broker.frozen(), pytest.raises(BrokerUnavailableError, match="no acknowledgement"):
            publisher.publish("monitor/v1/site/yard/alert", b"{}")
        until(lambda: publisher.connections == 2 and publisher.connected)


@pytest.mark.broker
# Paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("host", "trusts_it", "complaint"),
    [("127.0.0.1", False, "certificate verify failed"), ("127.0.0.9", True, "IP address mismatch")],
)
def test_a_certificate_that_proves_nothing_is_refused_and_named(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    host: str,
    complaint: str,
    *,
    trusts_it: bool,
) -> None:
    broker, own = tls_broker(tmp_path, host)
    trusted = own if trusts_it else certificate(tmp_path, "stranger", "127.0.0.1")[0]
    with (
        broker,
        MqttPublisher(Mqtt(port=broker.port, tls=Tls(ca_file=trusted)), "site") as publisher,
    ):
        until(lambda: complaint in caplog.text)
        assert not publisher.connected


@pytest.mark.broker
def test_a_certificate_of_our_own_opens_a_broker_that_asks_for_one(tmp_path: Path) -> None:
    ours, key = certificate(tmp_path, "box", "127.0.0.1")
    broker, trusted = tls_broker(
        tmp_path, "127.0.0.1", f"cafile {ours}", "require_certificate true"
    )
    tls = Tls(ca_file=trusted, certificate_file=ours, key_file=key)
    with broker, MqttPublisher(Mqtt(port=broker.port, tls=tls), "site") as publisher:
        until(lambda: publisher.connected)


def test_a_certificate_file_that_is_none_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    junk = tmp_path / "ca.pem"
    junk.write_text("nothing")
    with pytest.raises(ConfigError, match=str(junk)):
        MqttPublisher(Mqtt(tls=Tls(ca_file=junk)), "site")


def test_an_encrypted_key_is_a_mistake_and_not_a_question(tmp_path: Path) -> None:
    """OpenSSL would ask for the password on the terminal and wait for ever."""
    ours, key = certificate(tmp_path, "box", "127.0.0.1")
    locked = tmp_path / "locked.key"
    subprocess.run(  # noqa: S603  (our own arguments)
        [
            *("/usr/bin/env", "openssl", "ec", "-aes256", "-passout", "pass:secret"),
            *("-in", str(key), "-out", str(locked)),
        ],
        check=True,
        capture_output=True,
    )
    with pytest.raises(ConfigError, match=r"mqtt\.tls"):
        MqttPublisher(Mqtt(tls=Tls(certificate_file=ours, key_file=locked)), "site")
