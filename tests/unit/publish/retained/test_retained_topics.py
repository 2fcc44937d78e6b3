"""Retained messages: newest wins, nothing blocks, everything is published again after a loss."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitor.domain import CameraId, CameraState, StreamState
from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish.contract.payload import encode_state, snapshot_topic, state_topic
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.fakes_mqtt import SwitchedBroker
from tests.support.waiting import until

YARD, GATE = CameraId("yard"), CameraId("gate")


def state(camera: CameraId, subjects: int = 0) -> CameraState:
    return CameraState(camera, StreamState.STREAMING, 25.0, subjects, None)


def sent(camera: CameraId, subjects: int = 0) -> tuple[str, bytes, int | None]:
    return state_topic("s", camera), encode_state(state(camera, subjects)), 120


@contextmanager
def retained_on(broker: SwitchedBroker) -> Iterator[RetainedPublisher]:
    stop = StopSwitch()
    retained = RetainedPublisher(broker, "s")
    worker = Worker("retained", retained.run, stop)
    worker.start()
    yield retained
    broker.answering.set()
    stop.request()
    assert worker.join(1), "it stops at once"
    assert worker.failure is None


def test_states_expire_and_pictures_do_not() -> None:
    broker = SwitchedBroker()
    with retained_on(broker) as retained:
        retained.put_state(state(YARD))
        retained.put_snapshot(YARD, b"jpeg")
        until(lambda: len(broker.sent) == 2)
    assert broker.sent == [sent(YARD), (snapshot_topic("s", YARD), b"jpeg", None)]


def test_posting_never_waits_and_only_the_newest_goes_out() -> None:
    broker = SwitchedBroker()
    with retained_on(broker) as retained:
        broker.answering.clear()
        retained.put_state(state(YARD, 0))
        until(lambda: broker.tried)
        started = time.monotonic()
        for subjects in range(1, 1001):
            retained.put_state(state(YARD, subjects))
        assert time.monotonic() - started < 1
        broker.answering.set()
        until(lambda: len(broker.sent) == 2)
    assert broker.sent == [sent(YARD, 0), sent(YARD, 1000)]


def test_while_the_broker_is_away_nothing_is_tried() -> None:
    broker = SwitchedBroker(connected=False)
    with retained_on(broker) as retained:
        for subjects in range(5):
            retained.put_state(state(YARD, subjects))
        time.sleep(0.5)
        assert broker.tried == []
        broker.connect()
        until(lambda: broker.sent)
    assert broker.sent == [sent(YARD, 4)]


def test_after_a_reconnect_every_camera_is_told_again() -> None:
    broker = SwitchedBroker()
    with retained_on(broker) as retained:
        retained.put_state(state(YARD, 1))
        retained.put_state(state(GATE, 2))
        until(lambda: len(broker.sent) == 2)
        broker.disconnect()
        broker.connect()
        until(lambda: len(broker.sent) == 4)
        time.sleep(0.3)
    assert sorted(broker.sent[2:]) == sorted([sent(YARD, 1), sent(GATE, 2)]), "once"


def test_what_was_lost_on_the_way_is_sent_again_unless_something_newer_came() -> None:
    broker = SwitchedBroker()
    with retained_on(broker) as retained:
        broker.answering.clear()
        retained.put_state(state(YARD, 1))
        until(lambda: broker.tried)
        retained.put_state(state(YARD, 2))
        broker.disconnect()
        broker.connect()
        broker.answering.set()
        until(lambda: broker.sent)
    assert broker.sent == [sent(YARD, 2)]


def test_what_the_broker_will_not_have_is_set_aside_and_the_rest_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = SwitchedBroker()
    topic = snapshot_topic("s", YARD)
    broker.refused[topic] = PublishError("too large")
    with retained_on(broker) as retained:
        retained.put_snapshot(YARD, b"huge")
        retained.put_state(state(YARD))
        until(lambda: broker.sent)
    assert broker.tried.count(topic) == 1
    assert f"{topic}: not published: too large" in caplog.text


def test_a_message_that_breaks_the_connection_each_time_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some brokers answer a picture above their limit by hanging up."""
    broker = SwitchedBroker()
    topic = snapshot_topic("s", YARD)
    broker.refused[topic] = BrokerUnavailableError("connection lost")
    with retained_on(broker) as retained:
        retained.put_snapshot(YARD, b"huge")
        until(lambda: "not published" in caplog.text)
        retained.put_state(state(YARD))
        until(lambda: broker.sent)
        broker.connect()
        until(lambda: len(broker.sent) == 2)
        assert broker.tried.count(topic) == 3, "a reconnect does not bring it back"
        del broker.refused[topic]
        retained.put_snapshot(YARD, b"smaller")
        until(lambda: (topic, b"smaller", None) in broker.sent)
