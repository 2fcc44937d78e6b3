"""Who is looked at, and when."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from monitor.config.judges import Scheduler
from monitor.domain import CameraId, Covering, HeadCrop, Pixels, Timings
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.judge.schedule.crop_scheduler import CropScheduler
from tests.support.fakes import YARD, ManualClock, frame, subject, textured, verdict

LOBBY = CameraId("lobby")
HEAD = Box(100, 60, 160, 140)
SCENE = textured(320, 180)
SETTINGS = Scheduler(recheck_clear_s=2, recheck_doubtful_s=0.4, stale_after_s=3)


class Counter:
    """A scheduler with somebody in front of it: time moves as heads are handed in."""

    def __init__(self, settings: Scheduler = SETTINGS) -> None:
        self.clock = ManualClock()
        self.scheduler = CropScheduler(settings, self.clock)

    def offer(
        self,
        seconds: float,
        *numbers: int,
        head: Box | None = HEAD,
        camera: CameraId = YARD,
        scene: Pixels = SCENE,
    ) -> None:
        self.clock.move_to(seconds)
        there = [subject(number, seconds, head, camera=camera) for number in numbers]
        self.scheduler.offer(frame(seconds, ArrayPicture(scene), camera=camera), there, Timings())

    def take(self, seconds: float, limit: int = 99) -> list[HeadCrop]:
        self.clock.move_to(seconds)
        return self.scheduler.take(limit)

    def answer(self, crops: Sequence[HeadCrop], occluded: float) -> None:
        self.scheduler.put_verdicts(
            [verdict(x.subject, x.moment.seconds, occluded, camera=x.camera) for x in crops]
        )

    def look_at(self, seconds: float, occluded: float) -> bool:
        """Offer subject 1 and answer; whether it was looked at."""
        self.offer(seconds, 1)
        crops = self.take(seconds)
        self.answer(crops, occluded)
        return bool(crops)


def who(crops: Sequence[HeadCrop]) -> list[tuple[str, int]]:
    return [(crop.camera, crop.subject) for crop in crops]


def test_somebody_new_is_looked_at_at_once() -> None:
    at = Counter()
    at.offer(5, 1)
    (crop,) = at.take(5)
    assert (crop.camera, crop.subject, crop.moment.seconds) == (YARD, 1, 5)
    assert crop.head_px == 80
    assert crop.pixels.shape == (89, 88, 3), "a square of 1.1 longer sides, in whole pixels"


def test_a_crop_at_the_edge_is_clipped_to_the_picture() -> None:
    at = Counter()
    at.offer(0, 1, head=Box(0, 0, 60, 80))
    assert at.take(0)[0].pixels.shape == (89, 74, 3)


def test_a_subject_without_a_head_is_neither_looked_at_nor_poor() -> None:
    at = Counter()
    at.offer(0, 1, head=None)
    assert at.take(0) == []
    assert at.scheduler.counts.poor == 0
    assert at.look_at(0.2, 0.9), "as soon as there is a head"


def test_what_a_crop_waited_for_is_on_its_bill() -> None:
    at = Counter()
    at.offer(1, 1)
    (crop,) = at.take(1.25)
    assert crop.timings == Timings(queue=250)


@pytest.mark.parametrize(
    ("head", "scene"),
    [
        pytest.param(Box(100, 60, 115, 79), SCENE, id="too small"),
        pytest.param(HEAD, np.full_like(SCENE, 128), id="blurred"),
        pytest.param(HEAD, SCENE // 20, id="dark"),
    ],
)
def test_a_head_not_worth_a_crop_is_counted_and_tried_again(head: Box, scene: Pixels) -> None:
    at = Counter(Scheduler(min_sharpness=4 if scene.max() > 20 else 0))
    at.offer(0, 1, head=head, scene=scene)
    assert at.take(0) == []
    assert at.scheduler.counts.poor == 1
    at.offer(0.1, 1)
    assert len(at.take(0.1)) == 1


def test_the_smallest_head_that_is_allowed_is_looked_at() -> None:
    at = Counter(Scheduler(min_head_px=20))
    at.offer(0, 1, head=Box(100, 60, 112, 80))
    assert len(at.take(0)) == 1


@pytest.mark.parametrize(
    ("occluded", "looked"),
    [
        pytest.param(0.05, [0, 10], id="clear"),
        pytest.param(0.5, [0, 2, 4, 6, 8, 10], id="doubtful"),
        pytest.param(0.95, [0, 2, 4], id="covered"),
    ],
)
def test_the_next_crop_comes_after_the_pause(occluded: float, looked: list[int]) -> None:
    at = Counter()
    assert [n for n in range(12) if at.look_at(n * 0.2, occluded)] == looked


def test_who_was_out_of_sight_is_looked_at_at_once_though_clear_before() -> None:
    at = Counter()
    assert at.look_at(0, 0.05)
    assert not at.look_at(0.6, 0.05), "in sight all the time"
    assert at.look_at(1.4, 0.05), "it may be somebody else by now"


def test_a_covered_subject_is_settled_after_three_crops_that_agree() -> None:
    at = Counter()
    looked = [n for n in range(40) if at.look_at(n * 0.2, 0.95)]
    assert looked == [0, 2, 4, 14, 24, 34]


def test_one_doubt_unsettles() -> None:
    at = Counter()
    for n in range(7):
        at.look_at(n * 0.4, 0.95)
    assert at.look_at(2.8, 0.6)
    assert at.look_at(3.2, 0.6)


def test_a_crop_that_could_not_be_evaluated_is_no_clear_one() -> None:
    at = Counter()
    at.offer(0, 1)
    (crop,) = at.take(0)
    at.scheduler.put_verdicts([verdict(crop.subject, 0, 0.9, Covering.AWAY)])
    assert at.look_at(0.4, 0.9)


def test_a_newer_crop_takes_the_place_of_the_waiting_one() -> None:
    at = Counter()
    at.offer(0, 1)
    at.offer(0.4, 1)
    (crop,) = at.take(0.4)
    assert crop.moment.seconds == 0.4
    assert at.scheduler.counts.replaced == 1


def test_a_distinctly_larger_head_keeps_its_place() -> None:
    at = Counter()
    at.offer(0, 1)
    at.offer(0.4, 1, head=Box(100, 60, 140, 120))
    (crop,) = at.take(0.4)
    assert (crop.moment.seconds, crop.head_px) == (0, 80)
    assert at.scheduler.counts.replaced == 1


def test_a_crop_that_waited_too_long_is_dropped_and_its_subject_due_again() -> None:
    at = Counter()
    at.offer(0, 1)
    assert at.take(3.1) == []
    assert at.scheduler.counts.stale == 1
    at.offer(3.1, 1)
    assert len(at.take(3.1)) == 1


def test_what_finds_the_scheduler_full_is_refused_and_counted() -> None:
    at = Counter(Scheduler(in_flight=2))
    at.offer(0, 1, 2, 3)
    out = at.take(0)
    assert who(out) == [(YARD, 1), (YARD, 2)]
    assert at.scheduler.counts.refused == 1
    at.offer(0.1, 3)
    assert at.take(0.1) == [], "both are still with the judge"
    at.answer(out, 0.5)
    at.offer(0.2, 3)
    assert who(at.take(0.2)) == [(YARD, 3)]


def test_crops_a_judge_gives_up_are_due_again_and_free_their_places() -> None:
    at = Counter(Scheduler(in_flight=1))
    at.offer(0, 1)
    at.scheduler.give_up(at.take(0))
    at.offer(0.1, 1)
    assert len(at.take(0.1)) == 1


def test_a_second_has_only_so_many_crops() -> None:
    at = Counter(Scheduler(crops_per_s=2, in_flight=99))
    at.offer(0, *range(9))
    assert len(at.take(0)) == 2
    assert at.take(0.4) == []
    assert len(at.take(0.5)) == 1
    at.offer(10, *range(20, 29))
    assert len(at.take(10)) == 2, "no more than one second is saved up"


def test_less_than_one_crop_a_second_is_possible() -> None:
    at = Counter(Scheduler(crops_per_s=0.5))
    at.offer(0, 1, 2)
    assert [len(at.take(seconds)) for seconds in (0, 1, 2)] == [1, 0, 1]


def test_the_unknown_come_first_and_the_clear_last() -> None:
    at = Counter(Scheduler(recheck_clear_s=1, recheck_doubtful_s=0.4))
    at.offer(0, 1, 2)
    clear, doubtful = at.take(0)
    at.answer([clear], 0.05)
    at.answer([doubtful], 0.5)
    at.offer(0.35, 1, 2)  # both stay in sight
    at.offer(0.7, 1)
    at.offer(1.0, 1)
    at.offer(1.0, 2)
    at.offer(1.2, 3)
    assert who(at.take(1.2)) == [(YARD, 3), (YARD, 2), (YARD, 1)]


def test_somebody_nobody_has_looked_at_stays_first_while_waiting() -> None:
    """A better crop of the same head does not make a stranger known."""
    at = Counter()
    at.offer(0, 1)
    at.answer(at.take(0), 0.5)
    at.offer(0.4, 2)
    at.offer(0.6, 1)
    at.offer(0.8, 2)
    assert who(at.take(0.8)) == [(YARD, 2), (YARD, 1)]


def test_cameras_take_turns() -> None:
    at = Counter()
    at.offer(0, 1, 2, 3)
    at.offer(0, 1, camera=LOBBY)
    assert sorted(who(at.take(0, limit=2))) == [(LOBBY, 1), (YARD, 1)]


def test_a_crowd_at_one_camera_does_not_starve_the_other() -> None:
    """The judge asks more often than the budget grants, as it does when it is scarce."""
    at = Counter(Scheduler(crops_per_s=5, in_flight=99, stale_after_s=60))
    at.take(0)
    served: list[str] = []
    for tick in range(60):
        seconds = tick / 10
        at.offer(seconds, *range(100 * tick, 100 * tick + 2))
        at.offer(seconds, *range(100 * tick, 100 * tick + 2), camera=LOBBY)
        crops = at.take(seconds, limit=1)
        at.answer(crops, 0.5)
        served += [crop.camera for crop in crops]
    assert served.count(YARD) == pytest.approx(served.count(LOBBY), abs=2)


def test_verdicts_come_back_once_and_to_their_own_camera() -> None:
    at = Counter()
    at.offer(0, 1)
    at.offer(0, 1, camera=LOBBY)
    at.answer(at.take(0), 0.5)
    assert [v.camera for v in at.scheduler.collect_verdicts(YARD)] == [YARD]
    assert at.scheduler.collect_verdicts(YARD) == []
    assert [v.camera for v in at.scheduler.collect_verdicts(LOBBY)] == [LOBBY]


def test_the_scheduler_names_the_cameras_that_have_verdicts_waiting() -> None:
    counter = Counter()
    counter.look_at(0, 0.1)
    assert counter.scheduler.answered_cameras == {YARD}
    counter.scheduler.collect_verdicts(YARD)
    assert counter.scheduler.answered_cameras == set()


def test_who_left_and_comes_back_is_looked_at_like_somebody_new() -> None:
    at = Counter()
    at.look_at(0, 0.05)
    at.offer(4.0, 2)
    at.answer(at.take(4.0), 0.5)
    at.offer(4.4, 2)
    at.offer(4.5, 1)
    assert who(at.take(4.5)) == [(YARD, 1), (YARD, 2)]


def test_a_judge_that_waits_is_woken_by_the_first_crop() -> None:
    at = Counter()
    taken: list[HeadCrop] = []
    judge = threading.Thread(target=lambda: taken.extend(at.scheduler.take(9, timeout_s=60)))
    judge.start()
    at.offer(0, 1)
    judge.join(timeout=10)
    assert not judge.is_alive()
    assert who(taken) == [(YARD, 1)]
