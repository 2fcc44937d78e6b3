"""Stills: who it is about is shown, everybody else cannot be recognised."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from monitor.domain import Detection, Pixels, Subject, SubjectId
from monitor.errors import EvidenceError
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.record.still import AlertPictures, EvidenceFolder, render_still
from monitor.track.bodies import find_private_areas
from tests.support.fakes import ALERT, frame, head, person, subject, textured

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


def test_what_a_tight_box_leaves_of_a_head_is_hidden_too() -> None:
    around = Box(396, 97, 464, 183)
    assert contrast(part(snapshot(checkered(around)), around, inset=0)) < 12


def test_what_is_left_of_a_bystander_is_six_blocks_across() -> None:
    after = snapshot(textured(WIDTH, HEIGHT))
    hidden = Box(430 - 44, 140 - 44, 430 + 44, 140 + 44)
    kept = part(after, hidden, inset=0)
    steps = np.abs(np.diff(kept[::19].astype(int), axis=1)).mean(axis=(0, 2))  # (87,)
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
    assert crop.shape == (104, 104, 3)
    assert contrast(crop[22:82, 27:77]) > 80


def test_who_is_out_of_view_leaves_a_still_of_everybody_else_hidden() -> None:
    before = checkered(BYSTANDER)
    pictures = taken(before, PEOPLE[1:])
    for picture in (opened(pictures.snapshot), opened(pictures.crop)):
        assert contrast(part(picture, BYSTANDER)) < 10


def test_a_head_that_is_not_followed_is_hidden_too() -> None:
    before = checkered(BYSTANDER)
    pictures = render_still(
        frame(0, ArrayPicture(before)), PEOPLE[:1], SubjectId(1), [SHOWN, BYSTANDER]
    )
    assert contrast(part(opened(pictures.snapshot), BYSTANDER)) < 10


def test_a_head_behind_the_one_that_is_shown_is_hidden_where_it_sticks_out() -> None:
    behind = Box(110, 60, 165, 150)  # its middle is in the head that is shown
    before = checkered(behind)
    pictures = render_still(
        frame(0, ArrayPicture(before)), PEOPLE[:1], SubjectId(1), [SHOWN, behind]
    )
    window = Box(78, 88, 182, 192)  # of the crop
    above = Box(110, 60, 165, 92)
    assert contrast(part(before, above, inset=0)) > 90
    assert contrast(part(opened(pictures.snapshot), above, inset=0)) < 12
    cut = opened(pictures.crop)
    left, top = int(window.left), int(window.top)
    assert contrast(part(cut, Box(110, 88, 165, 96).move(-left, -top), inset=0)) < 20
    assert contrast(part(cut, Box(110, 104, 160, 150).move(-left, -top), inset=0)) > 80


@dataclass(frozen=True)
class Standing:
    """A person in a picture as they are, and whether they are noticed."""

    outline: Box
    head: Box
    found: bool  # the head, by the detector
    followed: bool


@st.composite
def standing(draw: st.DrawFn) -> Standing:
    """People of all sizes, upright, anywhere in a picture."""
    tall = draw(st.integers(160, 300))
    wide = draw(st.integers(tall * 3 // 10, tall * 6 // 10))
    left, top = draw(st.integers(0, WIDTH - wide)), draw(st.integers(0, HEIGHT - tall))
    high = draw(st.integers(tall // 7, tall // 5))
    broad = draw(st.integers(high * 3 // 4, high))
    x = left + (wide - broad) // 2 + draw(st.integers(-wide // 8, wide // 8))
    y = top + draw(st.integers(0, tall // 20))
    outline = Box(left, top, left + wide, top + tall)
    found, followed = draw(st.booleans()), draw(st.booleans())
    return Standing(outline, Box(x, y, x + broad, y + high), found, followed)


def about(people: Sequence[Standing], detections: Sequence[Detection], seen: Pixels) -> Pixels:
    """The snapshot of an alert about the first of some people."""
    followed = [
        subject(number, 0, one.head if one.found or number == 1 else None, person=one.outline)
        for number, one in enumerate(people, start=1)
        if one.followed or number == 1
    ]
    private = find_private_areas(detections, WIDTH, HEIGHT, people[0].outline)
    picture = frame(0, ArrayPicture(seen))
    return opened(render_still(picture, followed, SubjectId(1), private).snapshot)


def fineness(pixels: Pixels, box: Box, but: Box) -> float:
    """How much differs over three pixels within one box, and well outside of another."""
    steps = np.abs(np.diff(pixels[:, ::3, 0].astype(int), axis=1)).repeat(3, axis=1)
    there = np.zeros(steps.shape, bool)
    part(there, box, inset=0)[:] = True
    left, top, right, bottom = (int(edge) for edge in but.edges)
    there[max(top - 10, 0) : bottom + 10, max(left - 10, 0) : right + 10] = False
    return float(steps[there].mean()) if there.sum() > 100 else 0.0


SHOWN_IN_FRONT = Standing(Box(100, 50, 200, 350), Box(155, 58, 195, 112), found=True, followed=True)
BEHIND_THEM = Standing(Box(140, 40, 240, 340), Box(170, 42, 215, 98), found=False, followed=True)


@given(st.lists(standing(), min_size=2, max_size=5))
@example([SHOWN_IN_FRONT, BEHIND_THEM]).via("the head that was found fits both")
@settings(max_examples=100)
def test_no_bystander_can_be_recognised_whether_the_head_was_found_or_not(
    people: list[Standing],
) -> None:
    shown, *others = people
    for one, other in combinations(people, 2):  # detectors report nothing that overlaps more
        assume(one.outline.iou(other.outline) < 0.5 and one.head.iou(other.head) < 0.4)
    detections = [person(one.outline) for one in people]
    detections += [head(one.head) for one in people if one.found]
    before = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    checks = np.where((rows // 3 + columns // 3) % 2, 228, 28).astype(np.uint8)[..., None]
    for one in people:
        part(before, one.head, inset=0)[:] = part(checks, one.head, inset=0)
    after = about(people, detections, before)
    for other in others:
        clear = fineness(before, other.head, shown.head)
        assert clear == 0 or clear >= 150
        assert fineness(after, other.head, shown.head) < 60


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
