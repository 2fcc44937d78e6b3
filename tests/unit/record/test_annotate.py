"""Videos and pictures with boxes drawn in."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from monitor.domain import Pixels, Subject, SubjectId
from monitor.geometry import Box
from monitor.record.annotate import AnnotatedVideo, draw_subjects
from tests.support.clips import numbered, panning, photo
from tests.support.fakes import YARD, moment

HEAD = Box(120, 80, 180, 150)
PERSON = Box(80, 60, 240, 400)
BORDER = 6  # pixels a line may be thick


def standing(number: int, head: Box | None = HEAD, person: Box | None = PERSON) -> Subject:
    return Subject(
        id=SubjectId(number),
        camera=YARD,
        person=person,
        head=head,
        score=0.9,
        first_seen=moment(0),
        last_seen=moment(1),
    )


def grey(width: int = 640, height: int = 480) -> Pixels:
    return np.full((height, width, 3), 128, np.uint8)


def changed(pixels: Pixels) -> Pixels:
    return np.asarray((pixels != 128).any(axis=2), np.uint8)


def test_a_browser_can_play_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "annotated.mp4"
    with AnnotatedVideo(path, 320, 240, fps=12.5) as video:
        for pixels in panning(25):
            video.write(pixels)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate or 0) == 12.5
        assert stream.frames == 25
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(2)
        frames = list(container.decode(video=0))
    assert len(frames) == 25
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "it plays while it loads"


def test_colours_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    scene = photo()
    with AnnotatedVideo(path, 1280, 720, fps=5) as video:
        video.write(scene)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert frame.colorspace == 1, "said to be BT.709, as players take high definition to be"
    back = frame.to_ndarray(format="bgr24").astype(int)
    assert np.abs(back.mean(axis=(0, 1)) - scene.mean(axis=(0, 1))).max() < 3


@pytest.mark.parametrize(("width", "height"), [(321, 241), (320, 241), (321, 240)])
def test_odd_sizes_lose_a_row_or_column(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "a.mp4"
    with AnnotatedVideo(path, width, height, fps=10) as video:
        for pixels in numbered(3, width=width, height=height):
            video.write(pixels)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (320, 240)


def test_a_picture_of_another_size_is_a_mistake(tmp_path: Path) -> None:
    with (
        AnnotatedVideo(tmp_path / "a.mp4", 320, 240, fps=10) as video,
        pytest.raises(ValueError, match=r"expected a picture of \(240, 320, 3\)"),
    ):
        video.write(grey(640, 480))


def test_without_pictures_there_is_no_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4", 320, 240, fps=10):
        pass
    assert not (tmp_path / "a.mp4").exists()


def test_a_video_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    folder = tmp_path / "a.mp4"
    folder.mkdir()
    with (
        AnnotatedVideo(folder, 320, 240, fps=10) as video,
        pytest.raises(OSError, match=r"a\.mp4"),
    ):
        video.write(grey(320, 240))


def test_boxes_lie_where_the_subject_is() -> None:
    pixels = grey()
    draw_subjects(pixels, [standing(1)], {}, alarmed=set())
    drawn = changed(pixels)
    left, top, width, height = cv2.boundingRect(drawn)
    assert abs(left - PERSON.left) <= BORDER
    assert abs(top - PERSON.top) <= BORDER
    assert abs(left + width - PERSON.right) <= BORDER
    assert abs(top + height - PERSON.bottom) <= BORDER
    assert drawn[115, 120], "the head's own box"
    assert not drawn[115, 150], "the face stays visible"


def test_a_subject_without_a_head_has_the_label_on_the_person() -> None:
    plain, labelled = grey(), grey()
    draw_subjects(plain, [standing(1, None)], {}, alarmed=set())
    assert cv2.boundingRect(changed(plain))[3] >= PERSON.height
    assert not changed(plain)[115, 120], "no head's box"
    draw_subjects(labelled, [standing(1, None)], {SubjectId(1): "#1"}, alarmed=set())
    left, _, width, _ = cv2.boundingRect((plain != labelled).any(axis=2).astype(np.uint8))
    assert PERSON.left - BORDER <= left <= left + width <= PERSON.right


def test_an_alarm_is_red_and_the_rest_is_not() -> None:
    calm, alarm = grey(), grey()
    draw_subjects(calm, [standing(1)], {}, alarmed=set())
    draw_subjects(alarm, [standing(1)], {}, alarmed={SubjectId(1)})
    blue, green, red = alarm[115, 120].astype(int)
    assert red > blue + 100
    assert red > green + 100
    assert calm[115, 120][1] > calm[115, 120][2], "green"


def test_a_subject_without_a_body_gets_a_head_box_only() -> None:
    pixels = grey()
    draw_subjects(pixels, [standing(1, person=None)], {}, alarmed=set())
    assert not changed(pixels)[200:].any()
    assert changed(pixels)[115, 120]


@pytest.mark.parametrize(
    "head",
    [
        Box(0, 0, 40, 40),
        Box(600, 0, 640, 40),
        Box(600, 440, 640, 480),
        Box(-20, -20, 10, 10),
        Box(300, 200, 340, 240),
    ],
)
def test_a_label_is_legible_wherever_the_head_is(head: Box) -> None:
    plain, labelled = grey(), grey()
    draw_subjects(plain, [standing(1, head, None)], {}, alarmed=set())
    draw_subjects(
        labelled, [standing(1, head, None)], {SubjectId(1): "#1 balaclava 0.97"}, alarmed=set()
    )
    text = np.asarray((plain != labelled).any(axis=2), np.uint8)
    _, _, width, height = cv2.boundingRect(text)
    assert width > 100
    assert height >= 12
    bright = (labelled.min(axis=2) > 230).sum()
    assert bright > 100, "white letters"


def test_somebody_elses_label_is_not_drawn() -> None:
    plain, labelled = grey(), grey()
    draw_subjects(plain, [standing(1)], {}, alarmed=set())
    draw_subjects(labelled, [standing(1)], {SubjectId(2): "mask"}, alarmed={SubjectId(2)})
    np.testing.assert_array_equal(plain, labelled)
