"""A daemon that was killed and started again: what it remembers, and what it says."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from monitor.config.schema import Config
from monitor.daemon.mqtt_service import MqttService
from monitor.domain import CameraId
from monitor.publish.contract.payload import alert_topic, encode_alert
from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from monitor.publish.outbox.saved_state import SavedState
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch
from tests.support.broker import Mosquitto, Witness
from tests.support.daemon import site_config
from tests.support.fakes import ALERT, YARD
from tests.support.waiting import until

pytestmark = pytest.mark.broker

SOURCE: dict[str, object] = {"kind": "file", "path": "clip.mp4"}


class NoCameras:
    """Controls of nothing."""

    def execute(self, command: str, camera: CameraId) -> None:
        del command, camera


def left_open(settings: Config) -> None:
    """An alert was raised and sent; then the power went."""
    payload, topic = encode_alert("site", ALERT), alert_topic("site", YARD)
    with Outbox(settings.outbox) as outbox:
        message = OutboxMessage(
            ALERT.id, ALERT.seq, topic, payload, SystemClock().now(), unfinished=True
        )
        outbox.add(message)
        outbox.remove(message)


def test_an_alert_that_was_open_when_the_power_went_ends_at_the_next_start(tmp_path: Path) -> None:
    """An alarm panel showed it for ever."""
    with Mosquitto(tmp_path) as broker, Witness(broker.port) as witness:
        settings = site_config(tmp_path, broker.port, SOURCE)
        left_open(settings)
        for _ in range(2):
            stop = StopSwitch()
            with MqttService(settings, SystemClock()) as mqtt:
                workers = mqtt.build_workers(NoCameras(), {YARD: None}, stop)
                for worker in workers:
                    worker.start()
                until(lambda: len(mqtt.buffered) == 0, "the outbox to drain")
                stop.request()
                assert all(worker.join(5) for worker in workers)
        (ended,) = witness.payloads(alert_topic("site", YARD))
        body = json.loads(ended)
        assert (body["state"], body["seq"]) == ("ended", ALERT.seq + 1)
        assert UUID(body["id"]) == ALERT.id
    with Outbox(settings.outbox) as outbox:
        assert SavedState(outbox.file).read_unfinished() == []


def test_what_is_decided_while_the_program_ends_still_goes_out(tmp_path: Path) -> None:
    """An alert's end waited for the next start, which may never come."""
    with Mosquitto(tmp_path) as broker, Witness(broker.port) as witness:
        settings = site_config(tmp_path, broker.port, SOURCE)
        stop = StopSwitch()
        with MqttService(settings, SystemClock()) as mqtt:
            workers = mqtt.build_workers(NoCameras(), {YARD: None}, stop)
            for worker in workers:
                worker.start()
            until(lambda: witness.payloads("monitor/v1/site/status"), "the connection")
            stop.request()
            assert all(worker.join(5) for worker in workers)
            topic = alert_topic("site", YARD)
            mqtt.buffered.add(
                OutboxMessage(ALERT.id, 2, topic, encode_alert("site", ALERT), SystemClock().now())
            )
            mqtt.send_last_alerts()
            assert len(mqtt.buffered) == 0
        until(lambda: witness.payloads("monitor/v1/site/status")[-1] == b"offline", "the end")
        assert len(witness.payloads(topic)) == 1
