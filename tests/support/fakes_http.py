"""A stand-in for the service that answers requests, and a server around it."""

import base64
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from monitor.config.http import Http
from monitor.errors import MonitorError
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from monitor.serve import Metric, OcclusionRequest
from monitor.serve.executor import RequestExecutor
from monitor.serve.routes import make_app
from monitor.serve.server import Server

PATH = "/v1/face-occlusion"
GOOD = {"model": "face-occlusion-detection", "base64_image": base64.b64encode(b"jpeg").decode()}
LIMIT_S = 60.0
RESPONSE: dict[str, object] = {
    "occluded": False,
    "covering": "none",
    "probability": 0.02,
    "evaluable": True,
    "quality": [],
    "head_found": True,
    "complete": True,
    "faces": [],
    "judge": {"name": "fake", "version": "1"},
}


@dataclass
class FakeService:
    """An OcclusionService with a fixed answer, given once its gate is open.

    Args:
        error: Raised instead of answering.
        work_s: How long an answer takes.
    """

    error: Exception | None = None
    work_s: float = 0.0
    gate: threading.Event = field(default_factory=threading.Event)
    requests: list[OcclusionRequest] = field(default_factory=list)
    fetched_from: list[str] = field(default_factory=list)

    def fetch_file(self, url: str, deadline: float) -> bytes:
        del deadline
        self.fetched_from.append(url)
        if isinstance(self.error, MonitorError):
            raise self.error
        return b"fetched"

    def judge_faces(self, request: OcclusionRequest, deadline: float) -> Mapping[str, object]:
        self.requests.append(request)
        self.gate.wait(max(0.0, deadline - time.monotonic()))
        time.sleep(self.work_s)
        if self.error is not None:
            raise self.error
        return {
            "inference_id": "inf_1",
            "model_id": "face_occlusion_detection",
            "model_name": "Face Occlusion Detection",
            "moderation_type": request.media_type or "image",
            "status": "completed",
            "result": {"response": RESPONSE, "thinking": ""},
        }


@dataclass(frozen=True)
class FakeStatus:
    """A Status with given problems and metrics."""

    broken: tuple[str, ...] = ()
    numbers: tuple[Metric, ...] = ()

    def list_problems(self) -> Iterable[str]:
        return self.broken

    def collect_metrics(self) -> Iterable[Metric]:
        return self.numbers


@contextmanager
def answering_server(
    service: FakeService,
    *,
    settings: Http | None = None,
    status: FakeStatus | None = None,
    token: str | None = None,
) -> Iterator[Server]:
    """A real server on a free loopback port within the block; at its end the gate is opened."""
    settings = settings or Http(port=0)
    executor = RequestExecutor(service, settings.limit_s)
    app = make_app(settings, executor, status or FakeStatus(), token)
    server = Server(settings, app, executor.close)
    stop = StopSwitch()
    worker = Worker("http", server.run, stop)
    worker.start()
    try:
        yield server
    finally:
        service.gate.set()
        stop.request()
        assert worker.join(30)
        assert worker.failure is None


def open_service() -> FakeService:
    """A service that answers at once."""
    service = FakeService()
    service.gate.set()
    return service


def post(server: Server, body: object, **headers: str) -> httpx.Response:
    return httpx.post(server.address + PATH, json=body, headers=headers, timeout=LIMIT_S)


def head(length: int) -> bytes:
    """The head of a request whose body is still to come."""
    lines = (f"POST {PATH} HTTP/1.1", "Host: x", "Content-Type: application/json")
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()
