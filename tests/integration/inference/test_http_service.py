"""From bytes over HTTP to the answer: decoding, detecting, judging, and what strangers try."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from monitor.build import Models
from monitor.config.http import Fetching, Http
from monitor.inference.http_service import open_server
from monitor.inference.inference import Inference
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from monitor.serve.messages import FaceOcclusionAnswer
from monitor.serve.server import Server
from tests.support.clips import write_clip
from tests.support.fakes import BlueJudge, ScriptedDetector, head, textured
from tests.support.fakes_http import FakeStatus, post
from tests.support.http_server import answering
from tests.support.pictures import encoded, image, png_of
from tests.support.scenes import LEFT, RIGHT, draw_blue_boxes

LOOPBACK = Fetching(private_networks=("127.0.0.0/8",))
COVERED = encoded(image(draw_blue_boxes(RIGHT)), "PNG")


@contextmanager
def serving(fetch: Fetching | None) -> Iterator[Server]:
    """The whole HTTP API before a detector that knows where the faces are."""
    found = (head(LEFT), head(RIGHT))
    models = Models(ScriptedDetector(dict.fromkeys(range(99), found)), BlueJudge(), batch=4)
    with open_server(Http(port=0, fetch=fetch), Inference(models), FakeStatus()) as server:
        stop = StopSwitch()
        worker = Worker("http", server.run, stop)
        worker.start()
        try:
            yield server
        finally:
            stop.request()
            assert worker.join(30)
            assert worker.failure is None


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(LOOPBACK) as made:
        yield made


def told(server: Server, status: int = 200, **body: object) -> dict[str, object]:
    """The heart of the answer, or the whole of a refusal."""
    response = post(server, body)
    assert response.status_code == status, response.text
    if status != 200:
        return dict(response.json())
    assert FaceOcclusionAnswer.model_validate(response.json()).status == "completed"
    inner: dict[str, object] = response.json()["result"]["response"]
    return inner | {"moderation_type": response.json()["moderation_type"]}


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_picture_is_judged_face_by_face(server: Server) -> None:
    found = told(server, base64_image=text(COVERED))
    assert found["occluded"] is True
    assert found["covering"] == "balaclava"
    faces = found["faces"]
    assert isinstance(faces, list)
    assert [entry["covering"] for entry in faces] == ["balaclava", "none"]
    assert faces[0]["box"] == [200, 40, 260, 110]


def test_an_animation_is_as_covered_as_its_worst_picture(server: Server) -> None:
    bare = image(draw_blue_boxes())
    rest = [bare, image(draw_blue_boxes(RIGHT)), bare]
    content = encoded(bare, "WEBP", save_all=True, append_images=rest, lossless=True)
    found = told(server, base64_image=text(content))
    assert (found["covering"], found["moderation_type"]) == ("balaclava", "image")


def test_a_recording_is_judged_as_one(server: Server, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", [draw_blue_boxes(RIGHT)] * 50)
    found = told(server, base64_video=text(clip.read_bytes()), media_type="video")
    assert (found["covering"], found["moderation_type"]) == ("balaclava", "video")
    assert found["complete"] is True
    refused = told(server, 415, base64_image=text(clip.read_bytes()), media_type="image")
    assert "media_type video" in str(refused["detail"])


def test_poor_quality_counts_unless_the_caller_says_otherwise(server: Server) -> None:
    dark = text(encoded(image(np.asarray(textured(320, 240) * 0.1, np.uint8)), "PNG"))
    assert told(server, base64_image=dark)["occluded"] is True
    assert told(server, base64_image=dark, quality_is_occlusion=False)["occluded"] is False


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"%PDF-1.7 a letter", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
        (COVERED[:2000], 422),
        (png_of(60_000, 60_000), 413),
        (b"\0\0\0\x18ftypisom" + bytes(100), 422),
    ],
    ids=["PDF", "SVG", "cut off", "huge", "empty MP4"],
)
def test_what_cannot_be_judged_is_refused_by_its_reason(
    server: Server, content: bytes, status: int
) -> None:
    assert told(server, status, base64_image=text(content)).keys() == {"detail"}


def test_a_picture_is_fetched_from_where_it_may_be(server: Server) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(COVERED)}\r\n\r\n".encode()
    with answering(head + COVERED) as place:
        assert told(server, image_url=f"http://{place}/a.png")["occluded"] is True
    assert told(server, 403, image_url="http://169.254.169.254/latest/meta-data/")
    assert told(server, 403, image_url="http://[::ffff:10.0.0.1]/")
    assert told(server, 403, image_url="file:///etc/hostname")
    assert told(server, 422, image_url="http://nothing.invalid/a.png")


@pytest.mark.parametrize("fetch", [None, Fetching(), Fetching(hosts=("example.com",))])
def test_nothing_inside_is_fetched_unless_configured(fetch: Fetching | None) -> None:
    with serving(fetch) as server, answering(b"") as place:
        for where in (place, place.replace("127.0.0.1", "localhost")):
            assert told(server, 403, image_url=f"http://{where}/a.png")


def test_the_child_that_decodes_is_gone_with_the_server(children: Callable[[], set[int]]) -> None:
    before = children()
    with serving(None) as server:
        assert told(server, base64_image=text(COVERED))["occluded"] is True
        assert len(children() - before) == 1
    assert children() - before == set()


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """The processes that this one has started and that are there now."""

    def listed() -> set[int]:
        """Their numbers."""
        tasks = Path("/proc/self/task").iterdir()
        return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}

    return listed
