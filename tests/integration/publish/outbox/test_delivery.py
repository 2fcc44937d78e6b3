"""An alert's way from the outbox to a subscriber, across every kind of failure."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from monitor.config.schema import Mqtt
from monitor.domain import CameraId, CameraState, StreamState
from monitor.publish.contract.payload import encode_state, snapshot_topic, state_topic
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.outbox import Outbox
from monitor.publish.outbox.relay import OutboxRelay
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.runtime.backoff import Backoff
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.broker import Mosquitto, Witness
from tests.support.carrier import carrier, key, numbered, read_stored
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.broker

STATUS = "monitor/v1/site/status"


@contextmanager
def carrying(folder: Path, port: int, **settings: object) -> Iterator[Outbox]:
    """An outbox that is being emptied into a broker."""
    stop = StopSwitch()
    mqtt = Mqtt.model_validate({"port": port, **settings})
    with Outbox(folder / "outbox") as outbox, MqttPublisher(mqtt, "site") as publisher:
        relay = OutboxRelay(
            outbox, publisher, Backoff(0.05, 0.2), clock=SystemClock(), late_after_s=10
        )
        worker = Worker("outbox-relay", relay.run, stop)
        worker.start()
        yield outbox
        stop.request()
        assert worker.join(5)
        assert worker.failure is None


def assert_all_arrived(witness: Witness, count: int) -> None:
    """None lost, and each alert's states in their order once repetitions are dropped."""
    expected = [key(n) for n in range(count)]
    until(lambda: set(witness.keys()) == set(expected), "the last alerts")
    once = list(dict.fromkeys(witness.keys()))
    for alert in {id_ for id_, _ in expected}:
        assert [k for k in once if k[0] == alert] == [k for k in expected if k[0] == alert]


def test_alerts_raised_before_the_broker_is_up_arrive_once_it_is(tmp_path: Path) -> None:
    """The witness was there before: for a listener it knows, a broker keeps what comes."""
    port = free_port()
    broker = Mosquitto(tmp_path, port=port, durable=True)
    with broker, Witness(port) as witness:
        with witness.across_a_loss():
            broker.stop()
            with carrying(tmp_path, port) as outbox:
                for n in range(10):
                    outbox.add(numbered(n))
                assert len(outbox) == 10
                broker.start()
                until(lambda: len(outbox) == 0)
        assert_all_arrived(witness, 10)
        assert witness.keys() == [key(n) for n in range(10)], "nothing was in the way: once each"


class Raising:
    """Raises alerts, one every 20 ms, until the block ends."""

    def __init__(self, outbox: Outbox) -> None:
        self.count = 0
        self._outbox = outbox
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(0.02):
            self._outbox.add(numbered(self.count))
            self.count += 1


def test_a_broker_that_is_killed_over_and_over_costs_no_alert(tmp_path: Path) -> None:
    """Alerts wait, and more are raised, while it is down, while it comes up and after.

    Before each kill the witness has what the broker has acknowledged: what a broker loses
    of its own queue is not ours to answer for.
    """
    with (
        Mosquitto(tmp_path, durable=True) as broker,
        Witness(broker.port) as witness,
        carrying(tmp_path, broker.port) as outbox,
    ):
        with Raising(outbox) as raising:
            for kill in range(3):
                until(lambda kill=kill: raising.count > 50 * (kill + 1))  # type: ignore[misc]
                until(lambda: caught_up(witness, raising, outbox), "the witness to catch up")
                with witness.across_a_loss():
                    broker.kill()
                    waiting = len(outbox)
                    until(lambda waiting=waiting: len(outbox) > waiting + 5)  # type: ignore[misc]
                    broker.start()
        until(lambda: len(outbox) == 0, "the outbox to drain")
        assert_all_arrived(witness, raising.count)
        ours = [m for m in witness.messages if m.topic.endswith("/alert") and not m.dup]
        assert len(ours) <= raising.count + 3, "at most one repetition of ours for each kill"


def caught_up(witness: Witness, raising: Raising, outbox: Outbox) -> bool:
    """Whether every alert raised by now is with the witness, or still in the outbox."""
    raised = {key(n) for n in range(raising.count)}
    waiting = {(str(message.id), message.seq) for message in outbox}
    return raised <= waiting | set(witness.keys())


def test_a_password_mended_at_the_broker_lets_everything_through(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("right")
    broker = Mosquitto(tmp_path)
    broker.require({"box": "wrong", "ear": "ear"})
    with broker, carrying(tmp_path, broker.port, username="box", password_file=password) as outbox:
        for n in range(5):
            outbox.add(numbered(n))
        broker.stop()
        broker.require({"ear": "ear"})
        broker.start()
        with Witness(broker.port, user=("ear", "ear")) as witness:
            assert len(outbox) == 5, "nothing left with the wrong password"
            broker.require({"box": "right", "ear": "ear"})
            broker.reload()
            assert_all_arrived(witness, 5)


def test_rights_granted_later_let_everything_through(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.allow("topic read monitor/#")
    with (
        broker,
        Witness(broker.port) as witness,
        carrying(tmp_path, broker.port) as outbox,
    ):
        for n in range(5):
            outbox.add(numbered(n))
        assert not outbox_drains(outbox, within_s=0.5), "refused is not delivered"
        broker.allow("topic readwrite monitor/#")
        broker.reload()
        until(lambda: len(outbox) == 0)
        assert_all_arrived(witness, 5)


def outbox_drains(outbox: Outbox, within_s: float) -> bool:
    before = len(outbox)
    threading.Event().wait(within_s)
    return len(outbox) < before


def test_a_carrier_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL between storing and sending, between sending and removing, and in between."""
    with Mosquitto(tmp_path) as broker, Witness(broker.port) as witness:
        first = 0
        for last in (40, 90, 130):
            with carrier(tmp_path / "outbox", broker.port, first, 500) as process:
                until(lambda: witness.payloads(STATUS)[-1:] == [b"online"])
                read_stored(process, last)
            with Outbox(tmp_path / "outbox") as left:
                first = 1 + max(
                    [3 * m.seq + m.id.int for m in left]
                    + [n for n in range(600) if key(n) in set(witness.keys())]
                )
            assert first > last, "what was reported as stored is there or was sent"
        with carrying(tmp_path, broker.port) as outbox:
            until(lambda: len(outbox) == 0)
        assert_all_arrived(witness, first)


def test_a_carrier_killed_while_the_broker_is_away_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    with carrier(tmp_path / "outbox", port, 0, 20) as process:
        read_stored(process, 19)
    with Mosquitto(tmp_path, port=port) as broker, Witness(port) as witness:
        with carrier(tmp_path / "outbox", broker.port, 20, 1) as process:
            read_stored(process, 20)
            assert_all_arrived(witness, 21)
        assert witness.keys() == [key(n) for n in range(21)]


def test_a_killed_site_is_offline_until_it_is_back(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Witness(broker.port, STATUS) as witness:
        for _ in range(2):
            with carrier(tmp_path / "outbox", broker.port, 0, 1):
                until(lambda: witness.payloads(STATUS)[-1:] == [b"online"])
            until(lambda: witness.payloads(STATUS)[-1:] == [b"offline"], "the will")
        assert witness.payloads(STATUS) == [b"online", b"offline"] * 2


def test_states_and_pictures_wait_for_late_subscribers_and_outlive_the_broker(
    tmp_path: Path,
) -> None:
    """This broker keeps nothing across a restart, so everything must be published again."""
    cameras = [CameraId(name) for name in ("yard", "gate", "hall")]
    states = [CameraState(camera, StreamState.STREAMING, 25.0, 1, None) for camera in cameras]
    expected = {state_topic("site", s.camera): encode_state(s) for s in states} | {
        snapshot_topic("site", CameraId("yard")): b"\xff\xd8 the newest"
    }
    stop = StopSwitch()
    with (
        Mosquitto(tmp_path) as broker,
        MqttPublisher(Mqtt(port=broker.port), "site") as publisher,
    ):
        retained = RetainedPublisher(publisher, "site")
        worker = Worker("retained", retained.run, stop)
        worker.start()
        for state in states:
            retained.put_state(state)
        retained.put_snapshot(CameraId("yard"), b"\xff\xd8 an older one")
        retained.put_snapshot(CameraId("yard"), b"\xff\xd8 the newest")
        for _ in range(2):
            until(lambda: kept(broker.port) == expected, "the retained messages")
            broker.restart()
        stop.request()
        assert worker.join(5)
        assert worker.failure is None


def kept(port: int) -> dict[str, bytes]:
    """The retained states that a new subscriber receives."""
    with Witness(port, "monitor/v1/+/+/+") as late:
        threading.Event().wait(0.1)
        return {m.topic: bytes(m.payload) for m in late.messages if m.retain}
