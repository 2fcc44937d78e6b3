"""The HTTP API of the real programs: ``monitor serve`` alone, and beside the cameras."""

import base64
from pathlib import Path

import cv2
import httpx
import pytest

from tests.stress.http_fuzz import served
from tests.support.clips import panning, photo, write_clip
from tests.support.daemon import Daemon
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.slow

PATH = "/v1/face-occlusion"
JPEG = base64.b64encode(cv2.imencode(".jpg", photo())[1].tobytes()).decode()
START_S = 300.0


def test_serve_answers_with_the_embedded_models() -> None:
    with served() as (url, _):
        answer = httpx.post(url + PATH, json={"base64_image": JPEG}, timeout=60).json()
        assert httpx.get(url + "/readyz", timeout=60).status_code == 200
    response = answer["result"]["response"]
    assert response["occluded"] is False
    assert response["covering"] == "none"
    assert response["head_found"] is True


def test_the_daemon_answers_beside_its_cameras_and_says_that_the_broker_is_gone(
    tmp_path: Path,
) -> None:
    port = free_port()
    clip = write_clip(tmp_path / "yard.mp4", panning(5000))
    settings: dict[str, object] = {
        "cameras": {"yard": {"source": {"kind": "file", "path": str(clip)}}},
        "mqtt": {"port": 9},
        "http": {"port": port},
    }
    url = f"http://127.0.0.1:{port}"
    with Daemon(tmp_path, settings) as daemon:
        until(lambda: "answering on" in daemon.log, "the HTTP service", START_S)
        until(lambda: 'streaming{camera="yard"} 1.0' in metrics(url), "frames", START_S)
        ready = httpx.get(url + "/readyz", timeout=60)
        assert (ready.status_code, ready.json()["problems"]) == (503, ["broker"])
        answer = httpx.post(url + PATH, json={"base64_image": JPEG}, timeout=60)
        assert answer.json()["result"]["response"]["head_found"] is True
        assert 'monitor_http_requests_total{status="200"} 1.0' in metrics(url)
        assert "monitor_outbox_messages 0.0" in metrics(url)


def metrics(url: str) -> str:
    return httpx.get(url + "/metrics", timeout=60).text
