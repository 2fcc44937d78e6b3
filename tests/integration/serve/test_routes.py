"""The HTTP API, from outside: who is let in, what is refused, and when."""

import base64
import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from monitor.config.http import Http
from monitor.errors import (
    AddressRefusedError,
    JudgeUnavailableError,
    SourceRejectedError,
    SourceUnavailableError,
    TooLargeError,
    WrongMediaError,
)
from monitor.serve import Metric
from monitor.serve.messages import FILE_BYTES, FaceOcclusionAnswer
from tests.support.fakes_http import (
    GOOD,
    LIMIT_S,
    PATH,
    FakeStatus,
    answering_server,
    head,
    open_service,
    post,
)


def detail(response: httpx.Response) -> str:
    said = response.json()
    assert said.keys() == {"detail"}
    assert "\n" not in said["detail"]
    return str(said["detail"])


def test_the_hosted_apis_published_example_gets_its_published_answer() -> None:
    """Documented at docs and model pages of the hosted API, January 2026."""
    request = {"model": "face-occlusion-detection", "image_url": "https://example.com/image.jpg"}
    service = open_service()
    with answering_server(service) as server:
        response = post(server, request)
    assert response.status_code == 200
    answer = response.json()
    assert answer.keys() == {
        *("inference_id", "model_id", "model_name", "moderation_type", "status", "result")
    }
    assert answer["model_id"] == "face_occlusion_detection"
    assert answer["model_name"] == "Face Occlusion Detection"
    assert (answer["moderation_type"], answer["status"]) == ("image", "completed")
    assert answer["result"].keys() == {"response", "thinking"}
    assert answer["result"]["response"]["occluded"] is False
    assert FaceOcclusionAnswer.model_validate(answer).status == "completed"
    assert service.fetched_from == ["https://example.com/image.jpg"]
    assert service.requests[0].content == b"fetched"


@pytest.mark.parametrize("field", ["base64_image", "base64_video"])
@pytest.mark.parametrize("before", ["", "data:image/jpeg;base64,", "\n"])
def test_a_file_comes_through_as_it_is(field: str, before: str) -> None:
    service = open_service()
    with answering_server(service) as server:
        body = {field: before + base64.encodebytes(bytes(range(256))).decode()}
        assert post(server, body | {"media_type": "image"}).status_code == 200
    (requests,) = service.requests
    assert requests.content == bytes(range(256))
    assert requests.media_type == "image"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "give exactly one of"),
        ({"model": "x", "media_type": "image"}, "give exactly one of"),
        (GOOD | {"image_url": "https://example.com/"}, "give exactly one of"),
        (GOOD | {"media_type": "sound"}, "media_type"),
        (GOOD | {"model": 7}, "model"),
        ([GOOD], "body"),
        ({"base64_image": "@@@"}, "not base64"),
        ({"base64_image": "\u00e9"}, "not base64"),
        ({"base64_image": ""}, "empty"),
        ({"image_url": "http://x/" + "y" * 5000}, "image_url"),
    ],
)
def test_what_is_no_request_is_explained(body: object, said: str) -> None:
    with answering_server(open_service()) as server:
        response = post(server, body)
    assert response.status_code == 422
    assert said in detail(response)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"a":1e999}']
)
def test_what_is_no_json_is_explained(content: bytes) -> None:
    with answering_server(open_service()) as server:
        response = httpx.post(
            server.address + PATH,
            content=content,
            headers={"Content-Type": "application/json"},
            timeout=LIMIT_S,
        )
    assert response.status_code == 422
    assert detail(response)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SourceRejectedError("damaged"), 422),
        (SourceUnavailableError("gone"), 422),
        (WrongMediaError("a poem"), 415),
        (TooLargeError("too many pixels"), 413),
        (AddressRefusedError("inside"), 403),
        (JudgeUnavailableError("out of memory"), 503),
    ],
)
def test_each_trouble_has_its_status(error: Exception, status: int) -> None:
    service = open_service()
    service.error = error
    with answering_server(service) as server:
        response = post(server, GOOD)
    assert response.status_code == status
    assert str(error) in detail(response)
    assert ("retry-after" in response.headers) == (status == 503)


def test_a_bug_costs_one_answer_and_no_slot() -> None:
    service = open_service()
    service.error = ZeroDivisionError()
    with answering_server(service, settings=Http(port=0, waiting=1)) as server:
        assert post(server, GOOD).status_code == 500
        service.error = None
        assert post(server, GOOD).status_code == 200
        counted = httpx.get(server.address + "/metrics").text.splitlines()
    assert 'monitor_http_requests_total{status="500"} 1.0' in counted
    assert 'monitor_http_requests_total{status="200"} 1.0' in counted
    assert "monitor_http_requests_running 0.0" in counted


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() -> None:
    service = open_service()
    with (
        answering_server(service) as server,
        socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as channel,
    ):
        channel.sendall(head(28_000_000))
        assert channel.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert service.requests == []


def test_a_file_of_21_mb_is_refused_and_its_sender_hears_it() -> None:
    """Whoever sends before it listens must not find the connection reset."""
    body = json.dumps({"base64_image": base64.b64encode(bytes(21_000_000)).decode()})
    with answering_server(open_service()) as server:
        response = httpx.post(
            server.address + PATH,
            content=body,
            headers={"Content-Type": "application/json"},
            timeout=LIMIT_S,
        )
    assert response.status_code == 413
    assert "20 MB" in detail(response)


def test_a_body_without_a_length_is_read_only_so_far() -> None:
    def endless() -> Iterator[bytes]:
        """Forty megabytes, sent on request."""
        yield b'{"base64_image": "'
        for _ in range(400):
            yield b"A" * 100_000

    service = open_service()
    with answering_server(service) as server:
        response = httpx.post(
            server.address + PATH,
            content=endless(),
            headers={"Content-Type": "application/json"},
            timeout=LIMIT_S,
        )
    assert response.status_code == 413
    assert service.requests == []


def test_a_file_of_20_mb_is_taken() -> None:
    service = open_service()
    with answering_server(service) as server:
        body = {"base64_image": base64.b64encode(bytes(FILE_BYTES)).decode()}
        assert post(server, body).status_code == 200
        assert post(server, {"base64_image": body["base64_image"][:-4] + "AAAA"}).status_code == 413
    assert len(service.requests[0].content) == FILE_BYTES


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "application/xml", ""])
def test_only_json_is_taken(kind: str) -> None:
    with answering_server(open_service()) as server:
        response = httpx.post(
            server.address + PATH, content=b"{}", headers={"Content-Type": kind}, timeout=LIMIT_S
        )
    assert response.status_code == 415


def test_who_does_not_know_the_token_learns_nothing() -> None:
    service = open_service()
    with answering_server(service, token="hunter2") as server:  # noqa: S106
        for given in ({}, {"Authorization": "Bearer hunter3"}, {"Authorization": "Basic hunter2"}):
            response = post(server, GOOD, **given)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert "hunter2" not in response.text
        assert httpx.get(server.address + "/metrics").status_code == 401
        assert httpx.get(server.address + "/healthz").status_code == 200
        assert post(server, GOOD, Authorization="Bearer hunter2").status_code == 200
    assert len(service.requests) == 1


@pytest.mark.parametrize(("broken", "status"), [((), 200), (("judge", "frames"), 503)])
def test_readiness_is_what_works(broken: tuple[str, ...], status: int) -> None:
    with answering_server(open_service(), status=FakeStatus(broken)) as server:
        response = httpx.get(server.address + "/readyz")
        assert httpx.get(server.address + "/healthz").json()["ok"] is True
    assert response.status_code == status
    assert response.json() == {"ok": not broken, "problems": sorted(broken)}


def test_metrics_tell_requests_and_more() -> None:
    metrics = (
        Metric("monitor_camera_fps", "Rate.", 5.0, {"camera": "yard"}),
        Metric("monitor_camera_fps", "Rate.", 0.0, {"camera": 'odd"\n'}),
        Metric("monitor_crops_total", "Crops.", 7.0, {"outcome": "taken"}),
    )
    with answering_server(open_service(), status=FakeStatus(("judge",), metrics)) as server:
        post(server, GOOD)
        post(server, {})
        text = httpx.get(server.address + "/metrics").text
    for line in (
        'monitor_http_requests_total{status="200"} 1.0',
        'monitor_http_requests_total{status="422"} 1.0',
        'monitor_camera_fps{camera="yard"} 5.0',
        'monitor_camera_fps{camera="odd\\"\\n"} 0.0',
        'monitor_crops_total{outcome="taken"} 7.0',
        "monitor_ready 0.0",
    ):
        assert line in text.splitlines()
