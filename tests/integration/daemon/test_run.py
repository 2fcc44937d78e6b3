"""A whole daemon over MQTT: commanded, sick and healthy again. Only the models are stand-ins."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.build import Models
from monitor.config.schema import Config
from monitor.daemon.run import run
from monitor.errors import JudgeUnavailableError
from tests.support.broker import Mosquitto, Witness
from tests.support.clips import write_clip
from tests.support.daemon import site_config
from tests.support.fakes import BlueJudge, ScriptedDetector
from tests.support.http_server import http_camera
from tests.support.mqtt_commands import CommandClient
from tests.support.outboxes import broken_in_the_middle
from tests.support.scenes import BOTH, draw_scene
from tests.support.waiting import until

pytestmark = pytest.mark.broker

STATE = "monitor/v1/site/yard/state"
HEALTH = "monitor/v1/site/health"
SNAPSHOT = "monitor/v1/site/yard/snapshot"


def states(witness: Witness) -> list[str]:
    return [json.loads(payload)["state"] for payload in witness.payloads(STATE)]


def watched(settings: Config, judge: BlueJudge, act: Callable[[], None]) -> bool:
    """Run the daemon, do something meanwhile, and stop it as systemd does."""
    failed: list[BaseException] = []

    def do() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  (raised again below, on the test's thread)
            failed.append(error)
        os.kill(os.getpid(), signal.SIGTERM)

    acting = threading.Thread(target=do)
    acting.start()
    clean = run(settings, Models(ScriptedDetector(dict.fromkeys(range(999), BOTH)), judge, 4))
    acting.join()
    if failed:
        raise failed[0]
    return clean


def test_a_camera_is_paused_and_resumed_and_asked_for_a_picture(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        Witness(broker.port) as witness,
        http_camera({"sound.ts": b""}, [draw_scene()] * 5) as camera,
        CommandClient(broker.port) as asker,
    ):

        def act() -> None:
            until(lambda: states(witness)[-1:] == ["streaming"], "the first frame")
            until(lambda: witness.payloads(SNAPSHOT), "an alert")
            asker.ask(b"pause", answer_to="answers/here")
            assert asker.answer()[1]["ok"] is True
            until(lambda: states(witness)[-1] == "paused", "the state")
            asker.ask(b"snapshot")
            assert asker.answer()[1]["error"] == "the camera is paused; resume it first"
            asker.ask(b"resume")
            assert asker.answer()[1]["ok"] is True
            until(lambda: states(witness)[-1] == "streaming", "frames again")
            before = len(witness.payloads(SNAPSHOT))
            asker.ask(b"snapshot")
            assert asker.answer()[1]["error"] is None
            until(lambda: len(witness.payloads(SNAPSHOT)) > before, "the picture")

        source: dict[str, object] = {"kind": "http", "url": camera.url("/mjpeg")}
        assert watched(site_config(tmp_path, broker.port, source), BlueJudge(), act)


def test_a_broken_outbox_and_a_dead_judge_are_told_and_stop_nothing(tmp_path: Path) -> None:
    broken_in_the_middle(tmp_path / "outbox")
    dead = [JudgeUnavailableError("out of memory")] * 3
    clip = write_clip(tmp_path / "clip.mp4", [draw_scene()] * 80)

    with Mosquitto(tmp_path) as broker, Witness(broker.port) as witness:

        def problems() -> list[list[str]]:
            bodies = [json.loads(payload) for payload in witness.payloads(HEALTH)]
            return [[problem["kind"] for problem in body["problems"]] for body in bodies]

        def act() -> None:
            until(lambda: ["outbox_damaged", "judge_fails"] in problems(), "both problems")
            until(lambda: problems()[-1] == ["outbox_damaged"], "the judge's recovery")
            until(lambda: witness.payloads(SNAPSHOT), "an alert, in spite of all")

        source: dict[str, object] = {"kind": "file", "path": clip}
        assert watched(site_config(tmp_path, broker.port, source), BlueJudge(dead), act)
        mine = witness.payloads("monitor/v1/site/yard/alert")
        assert json.loads(mine[0])["state"] == "raised"
        rescued = witness.payloads("monitor/v1/s/yard/alert")
        assert 30 < len(rescued) < 60, "what could be read was sent"
    assert len(list(tmp_path.glob("outbox.damaged-*Z"))) == 1
