"""Stills: who it is about is shown, everybody else cannot be recognised."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from monitor.domain import (
    Pixels,
    Subject,
    SubjectId,
)
from monitor.errors import EvidenceError
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.record.still import AlertPictures, EvidenceFolder, render_still
from tests.support.fakes import ALERT, frame, subject, textured

WIDTH, HEIGHT = 640, 360
SHOWN, BYSTANDER = Box(100, 100, 160, 180), Box(400, 100, 460, 180)
PEOPLE = [subject(1, 0, SHOWN), subject(2, 0, BYSTANDER)]


def checkered(box: Box, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Pixels:
    """A grey picture with features of three pixels within one box, as a face has them."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    rows, columns = np.mgrid[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    checks = np.where((rows // 3 + columns // 3) % 2, 228, 28).astype(np.uint8)
    pixels[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = checks[..., None]
    return pixels


def snapshot(pixels: Pixels, people: Sequence[Subject] = PEOPLE, shown: int = 1) -> Pixels:
    return opened(taken(pixels, people, shown).snapshot)


def taken(pixels: Pixels, people: Sequence[Subject] = PEOPLE, shown: int = 1) -> AlertPictures:
    return render_still(frame(0, ArrayPicture(pixels)), people, SubjectId(shown))


def opened(jpeg: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def part(pixels: Pixels, box: Box, inset: int = 4) -> Pixels:
    """What is in a box, without the line around it."""
    return pixels[
        int(box.top) + inset : int(box.bottom) - inset,
        int(box.left) + inset : int(box.right) - inset,
    ]


def contrast(pixels: Pixels) -> float:
    return float(pixels.std())


def test_a_bystanders_features_are_gone() -> None:
    before = checkered(BYSTANDER)
    assert contrast(part(before, BYSTANDER)) > 90
    assert contrast(part(snapshot(before), BYSTANDER)) < 10


def test_the_features_of_who_it_is_about_are_not() -> None:
    before = checkered(SHOWN)
    after = snapshot(before)
    changed = np.abs(part(after, SHOWN).astype(int) - part(before, SHOWN))
    assert changed.mean() < 5
    assert contrast(part(after, SHOWN)) > 90


def test_a_bystander_is_pixelated_whoever_else_it_is_about() -> None:
    before = checkered(SHOWN)
    assert contrast(part(snapshot(before, shown=2), SHOWN)) < 10


def test_hair_and_ears_are_hidden_too() -> None:
    around = Box(395, 95, 465, 185)
    assert contrast(part(snapshot(checkered(around)), around, inset=0)) < 12


def test_what_is_left_of_a_bystander_is_six_blocks_across() -> None:
    after = snapshot(textured(WIDTH, HEIGHT))
    hidden = Box(430 - 56, 140 - 56, 430 + 56, 140 + 56)
    kept = part(after, hidden, inset=0)
    steps = np.abs(np.diff(kept[::19].astype(int), axis=1)).mean(axis=(0, 2))  # (111,)
    assert (steps > 6).sum() <= 4 * 6, "JPEG smears an edge over a few columns"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(Box(0, 120, 21, 220), id="by the left edge"),
        pytest.param(Box(619, 120, 640, 220), id="by the right edge"),
        pytest.param(Box(300, 0, 400, 18), id="by the top"),
    ],
)
def test_a_head_cut_off_by_the_edge_is_hidden_like_a_whole_one(head: Box) -> None:
    rng = np.random.default_rng(1)
    rows, columns = int(head.height), int(head.width)
    features = rng.integers(0, 2, (-(-rows // 7), -(-columns // 7))) * 200 + 28  # of 7 px
    face = features.repeat(7, axis=0).repeat(7, axis=1)[:rows, :columns]
    before = checkered(head)
    part(before, head, inset=0)[:] = face[..., None]
    after = part(snapshot(before, [PEOPLE[0], subject(2, 0, head)]), head, inset=0)
    assert np.corrcoef(after[..., 0].ravel(), face.ravel())[0, 1] < 0.6


def test_a_still_of_a_large_picture_is_scaled_and_still_hides_the_right_place() -> None:
    bystander = Box(2000, 1000, 2240, 1320)
    before = checkered(bystander, size=(2560, 1440))
    people = [subject(1, 0, Box(100, 100, 400, 500)), subject(2, 0, bystander)]
    after = snapshot(before, people)
    assert after.shape == (720, 1280, 3)
    assert contrast(part(after, bystander.scale(0.5))) < 10


def test_the_crop_shows_the_head_and_a_margin() -> None:
    crop = opened(taken(checkered(SHOWN)).crop)
    assert crop.shape == (120, 120, 3)
    assert contrast(crop[30:90, 35:85]) > 80


def test_who_is_out_of_view_leaves_a_still_of_everybody_else_hidden() -> None:
    before = checkered(BYSTANDER)
    pictures = taken(before, PEOPLE[1:])
    for picture in (opened(pictures.snapshot), opened(pictures.crop)):
        assert contrast(part(picture, BYSTANDER)) < 10


def test_a_head_outside_the_picture_needs_no_hiding() -> None:
    gone = subject(2, 0, Box(640, 200, 640, 200))
    before = textured(WIDTH, HEIGHT)
    with_, without = snapshot(before, [PEOPLE[0], gone]), snapshot(before, PEOPLE[:1])
    assert np.array_equal(with_, without)


def test_taking_a_still_leaves_the_frame_as_it_was() -> None:
    pixels = textured(WIDTH, HEIGHT)
    before = pixels.copy()
    taken(pixels)
    assert np.array_equal(pixels, before)


def test_pictures_are_kept_where_the_evidence_says_with_their_hash(tmp_path: Path) -> None:
    pictures = AlertPictures(b"the snapshot", b"the crop")
    folder = tmp_path / "made" / "when needed"
    evidence = EvidenceFolder(folder).save(replace(ALERT, seq=0), pictures)
    assert (folder / evidence.snapshot).read_bytes() == b"the snapshot"
    assert (folder / evidence.snapshot).with_name("crop.jpg").read_bytes() == b"the crop"
    assert evidence.sha256 == hashlib.sha256(b"the snapshot").hexdigest()
    assert evidence.clip is None


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    taken_up = tmp_path / "evidence"
    taken_up.write_text("a file where the folder should be")
    with pytest.raises(EvidenceError, match="set evidence elsewhere") as caught:
        EvidenceFolder(taken_up).save(ALERT, AlertPictures(b"", b""))
    assert str(taken_up) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_that_jpeg_cannot_hold_is_an_evidence_error() -> None:
    too_wide = ArrayPicture(np.zeros((100, 70_000, 3), np.uint8))
    head = Box(0, 0, 70_000, 100)
    with pytest.raises(EvidenceError, match="JPEG"):
        render_still(frame(0, too_wide), [subject(1, 0, head)], SubjectId(1))
