"""A camera on the network, the daemon, a broker: alerts come out, whatever fails between."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jsonschema
import pytest

from monitor.demo.clip import write_demo_clip
from tests.support.alert_schema import ALERT_V1
from tests.support.broker import Mosquitto
from tests.support.daemon import DAEMON_S, Daemon, Listener
from tests.support.rtsp_server import RtspServer
from tests.support.waiting import until


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_demo_clip(path, seconds=12, fps=10)
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, durable=True) as running:  # it keeps the listener's session
        yield running


def settings(broker: Mosquitto, camera: RtspServer) -> dict[str, object]:
    """One camera; everybody who covers himself again raises an alert again."""
    return {
        "site": "test",
        "cameras": {"yard": {"source": {"kind": "rtsp", "url": camera.url}, "zone": "gate"}},
        "mqtt": {"port": broker.port, "state_every_s": 1, "late_after_s": 3},
        "policy": {"cooldown_s": 0},
    }


def stored_ids(daemon: Daemon) -> set[tuple[str, int]]:
    with sqlite3.connect(f"file:{daemon.outbox}?mode=ro", uri=True) as db:
        return set(db.execute("SELECT id, seq FROM message").fetchall())


def test_a_covered_face_on_a_camera_arrives_as_an_alert(
    clip: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    with (
        RtspServer(clip) as camera,
        Listener(broker.port) as listener,
        Daemon(tmp_path, settings(broker, camera)) as daemon,
    ):
        until(lambda: len(about_balaclava(listener)) > 1, "an alert and its end", DAEMON_S)
        until(lambda: listener.last("/snapshot"), "its picture", DAEMON_S)
        raised, *_, ended = about_balaclava(listener)
        for alert in (raised, ended):
            jsonschema.validate(alert, ALERT_V1)
        assert (raised["state"], ended["state"]) == ("raised", "ended")
        assert raised["severity"] == "critical"
        assert (raised["site"], raised["camera"], raised["zone"]) == ("test", "yard", "gate")
        assert raised["late"] is False
        assert ended["seq"] == int(str(raised["seq"])) + 1
        timings = raised["timings_ms"]
        assert isinstance(timings, dict)
        assert all(timings[stage] > 0 for stage in ("decode", "detect", "track", "judge"))
        picture = listener.last("/snapshot")
        assert picture is not None
        assert picture.startswith(b"\xff\xd8")
        assert listener.last("/status") == b"online"
        assert daemon.terminate() == 0
        until(lambda: listener.last("/status") == b"offline", "the farewell", DAEMON_S)


@pytest.mark.slow
def test_frames_flow_again_within_5_s_after_a_camera_was_killed_and_restarted(
    clip: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    with (
        RtspServer(clip) as camera,
        Listener(broker.port) as listener,
        Daemon(tmp_path, settings(broker, camera)),
    ):
        until(
            lambda: "streaming" in [s for _, s in listener.states("yard")],
            "the first frame",
            DAEMON_S,
        )
        camera.kill()
        until(
            lambda: listener.states("yard")[-1][1] == "stalled", "the loss to be noticed", DAEMON_S
        )
        camera.start()
        took_s = until(lambda: listener.states("yard")[-1][1] == "streaming", "frames", 8)
        assert took_s <= 5 + 1, "states are published once a second"


@pytest.mark.slow
def test_an_alert_raised_while_the_broker_is_away_arrives_once_and_in_order(
    clip: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    with (
        RtspServer(clip) as camera,
        Listener(broker.port) as listener,
        Daemon(tmp_path, settings(broker, camera)) as daemon,
    ):
        until(
            lambda: "streaming" in [s for _, s in listener.states("yard")],
            "the first frame",
            DAEMON_S,
        )
        broker.kill()
        until(lambda: daemon.waiting() >= 2, "an alert and its end", DAEMON_S)
        waiting = stored_ids(daemon)
        broker.start()
        until(lambda: daemon.waiting() == 0, "the outbox to drain", DAEMON_S)
        until(lambda: waiting <= arrived(listener), "the alerts", DAEMON_S)
    assert_once_and_in_order(listener)


@pytest.mark.slow
def test_alerts_that_wait_survive_a_kill_of_the_daemon(
    clip: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    broker.kill()
    with RtspServer(clip) as camera, ExitStack() as stack:
        config = settings(broker, camera)
        mqtt = config["mqtt"]
        assert isinstance(mqtt, dict)
        mqtt["late_after_s"] = 0.5  # a daemon starts again sooner than in three seconds
        daemon = stack.enter_context(Daemon(tmp_path, config))
        until(lambda: daemon.waiting() >= 1, "an alert in the outbox", DAEMON_S)
        daemon.kill()
        waiting = stored_ids(daemon)
        assert waiting
        broker.start()
        with Listener(broker.port) as listener:
            daemon.start()
            until(lambda: waiting <= arrived(listener), "the alerts from before the kill", DAEMON_S)
            late = [a for a in listener.alerts() if (str(a["id"]), a["seq"]) in waiting]
            assert all(alert["late"] for alert in late)


@pytest.mark.slow
def test_one_dead_camera_does_not_stop_the_other(
    clip: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    with RtspServer(clip) as camera, Listener(broker.port) as listener:
        config = settings(broker, camera)
        cameras = config["cameras"]
        assert isinstance(cameras, dict)
        cameras["dead"] = {"source": {"kind": "rtsp", "url": "rtsp://127.0.0.1:1/cam"}}
        cameras["none"] = {"source": {"kind": "rtsp", "url": "rtsp://camera.invalid/cam"}}
        cameras["gone"] = {"source": {"kind": "file", "path": str(tmp_path / "gone.mp4")}}
        with Daemon(tmp_path, config) as daemon:
            until(listener.raised, "an alert of the living one", DAEMON_S)
            assert listener.alerts()[0]["camera"] == "yard"
            assert "gone.mp4" in daemon.log
            assert "Traceback" not in daemon.log
            assert daemon.terminate() == 0


def about_balaclava(listener: Listener) -> list[dict[str, object]]:
    """The states of the first alert about a balaclava, in the order of arrival."""
    alerts = listener.alerts()
    ids = [alert["id"] for alert in alerts if alert["covering"] == "balaclava"]
    return [alert for alert in alerts if alert["id"] == ids[0]] if ids else []


def arrived(listener: Listener) -> set[tuple[str, int]]:
    return {(str(alert["id"]), int(str(alert["seq"]))) for alert in listener.alerts()}


def assert_once_and_in_order(listener: Listener) -> None:
    """Each state of each alert, by id: 0, 1, 2 ... without repetition."""
    by_id: dict[str, list[int]] = {}
    for alert in listener.alerts():
        by_id.setdefault(str(alert["id"]), []).append(int(str(alert["seq"])))
    assert by_id
    for states in by_id.values():
        assert states == list(range(len(states)))
