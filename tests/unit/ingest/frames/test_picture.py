"""Pictures that are converted only when asked, and only in part."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Picture, Pixels
from monitor.errors import SourceRejectedError
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture, VideoPicture, cover_pixels, read_picture
from tests.support.clips import panning, photo, write_clip

COLOURSPACES = {"unset": 2, "BT.709": 1, "BT.601": 6, "FCC": 4, "240M": 7, "BT.2020": 9}
RANGES = {"unset": 0, "studio": 1, "full": 2}
PLANAR = ["yuv420p", "yuvj420p", "nv12", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"]
OTHERS = ["yuv420p10le", "gray", "yuyv422", "bgr24", "rgb24"]
FACE = Box(321.5, 111.2, 466.1, 290.9)


def video_frame(pixel_format: str = "yuv420p") -> av.VideoFrame:
    picture = np.ascontiguousarray(photo()[:500, 300:1100])
    return av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pixel_format)


def converted(frame: av.VideoFrame) -> Pixels:
    """All of a frame as FFmpeg converts it: the reference."""
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def part(pixels: Pixels, box: Box) -> Pixels:
    left, top, right, bottom = cover_pixels(box, pixels.shape[1], pixels.shape[0])
    return pixels[top:bottom, left:right]


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("colourspace", COLOURSPACES)
@pytest.mark.parametrize("pixel_format", PLANAR)
def test_a_cut_has_the_colours_of_the_whole(
    pixel_format: str, colourspace: str, range_: str
) -> None:
    frame = video_frame(pixel_format)
    frame.colorspace, frame.color_range = COLOURSPACES[colourspace], RANGES[range_]
    whole = converted(frame)
    cut = VideoPicture(frame).cut(FACE)
    difference = np.abs(cut.astype(int) - part(whole, FACE))
    assert cut.flags["C_CONTIGUOUS"]
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) <= 5


@pytest.mark.parametrize("pixel_format", OTHERS)
def test_formats_that_cannot_be_cut_are_converted_whole_and_once(pixel_format: str) -> None:
    frame = video_frame(pixel_format)
    picture = VideoPicture(frame)
    cuts = [picture.cut(FACE), picture.cut(Box(0, 0, 9, 9)), picture.cut(FACE)]
    assert picture.conversions == 1
    np.testing.assert_array_equal(cuts[0], part(converted(frame), FACE))
    cuts[0][:] = 0
    assert cuts[2].any(), "a cut is the taker's own"


@given(
    left=st.floats(-50, 850),
    top=st.floats(-50, 550),
    width=st.floats(0, 400),
    height=st.floats(0, 400),
)
def test_every_box_gives_at_least_one_pixel_and_the_same_from_both_kinds(
    left: float, top: float, width: float, height: float
) -> None:
    frame = video_frame("yuv444p")
    box = Box(left, top, left + width, top + height)
    from_array = ArrayPicture(converted(frame)).cut(box)
    from_video = VideoPicture(frame).cut(box)
    assert from_video.shape == from_array.shape
    assert min(from_video.shape) >= 1
    assert np.abs(from_video.astype(int) - from_array).max() <= 2


def test_nothing_is_converted_until_somebody_looks() -> None:
    picture = VideoPicture(video_frame())
    assert (picture.width, picture.height) == (800, 500)
    assert picture.conversions == 0
    picture.resize(80, 50)
    picture.cut(FACE)
    assert picture.conversions == 2


@pytest.mark.parametrize("size", [(800, 500), (640, 400), (333, 211), (1600, 1000)])
def test_scaling_shows_the_same_picture(size: tuple[int, int]) -> None:
    frame = video_frame()
    scaled = VideoPicture(frame).resize(*size)
    reference = ArrayPicture(converted(frame)).resize(*size)
    assert scaled.shape == (size[1], size[0], 3)
    assert scaled.flags["C_CONTIGUOUS"]
    assert np.abs(scaled.astype(int) - reference).mean() < 3


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_telephones_video_comes_upright(tmp_path: Path, turned: int) -> None:
    """The file says how far a player must turn it; FFmpeg's decoder does not do it."""
    clip = write_clip(tmp_path / "phone.mp4", panning(2), turned=turned)
    with av.open(str(clip)) as container:
        frame = next(container.decode(video=0))
    stored = converted(frame)
    upright = np.rot90(stored, turned // 90)
    picture = VideoPicture(frame)
    assert (picture.height, picture.width) == upright.shape[:2]
    scaled = picture.resize(picture.width, picture.height)
    np.testing.assert_array_equal(scaled, upright)
    box = Box(20, 35, 101, 90)
    assert np.abs(picture.cut(box).astype(int) - part(upright, box)).mean() < 2


def test_taking_from_a_picture_does_not_change_it() -> None:
    picture: Picture = ArrayPicture(photo())
    picture.resize(picture.width, picture.height)[:] = 0
    picture.cut(FACE)[:] = 0
    np.testing.assert_array_equal(picture.resize(picture.width, picture.height), photo())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_pictures_are_read_from_files_and_from_bytes(tmp_path: Path, suffix: str) -> None:
    encoded = cv2.imencode(suffix, photo())[1].tobytes()
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encoded)
    for picture in (read_picture(path), read_picture(encoded)):
        assert (picture.width, picture.height) == (1280, 720)
        pixels = picture.resize(1280, 720)
        assert np.abs(pixels.astype(int) - photo()).mean() < 4


def test_a_telephones_photo_comes_upright() -> None:
    """Orientation 6: turn it a quarter clockwise to see it as it was taken."""
    jpeg = cv2.imencode(".jpg", photo())[1].tobytes()
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06" + bytes(6)
    exif = b"Exif\x00\x00" + tiff
    marker = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    picture = read_picture(jpeg[:2] + marker + jpeg[2:])
    assert (picture.width, picture.height) == (720, 1280)
    upright = np.rot90(read_picture(jpeg).resize(1280, 720), -1)
    np.testing.assert_array_equal(picture.resize(720, 1280), upright)


@pytest.mark.parametrize("content", [b"", b"not a picture at all", b"\xff\xd8\xff\xe0 cut off"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(SourceRejectedError, match=r"holiday\.jpg: not a picture .*; give a JPEG"):
        read_picture(path)
    with pytest.raises(SourceRejectedError, match="the picture: not a picture"):
        read_picture(content)


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceRejectedError, match=r"gone\.jpg: cannot be read .*; check the path"):
        read_picture(tmp_path / "gone.jpg")
