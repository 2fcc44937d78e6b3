"""What the scheduler promises whatever happens in front of it and behind it."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.config.judges import Scheduler
from monitor.domain import CameraId, HeadCrop, Timings
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.judge.schedule.crop_scheduler import CropScheduler
from tests.support.fakes import ManualClock, frame, subject, textured, verdict

RATE = 5.0
SETTINGS = Scheduler(
    crops_per_s=RATE,
    in_flight=6,
    recheck_clear_s=1e-6,  # everybody is always due, so every head offered is a crop handed in
    recheck_doubtful_s=1e-6,
    stale_after_s=0.5,
)
PICTURE = ArrayPicture(textured(160, 120))
HEADS = [Box(40, 30, 76, 70), Box(30, 20, 90, 80)]


class SchedulerInUse(RuleBasedStateMachine):
    """Heads come in, time passes, a judge takes crops and brings them back or gives up."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.scheduler = CropScheduler(SETTINGS, self.clock)
        self.handed_in = 0
        self.out: list[HeadCrop] = []
        self.answered: dict[str, int] = {}

    @property
    def waiting(self) -> int:
        counts = self.scheduler.counts
        return self.handed_in - counts.taken - counts.stale - counts.replaced - counts.refused

    @rule(
        camera=st.sampled_from(["yard", "lobby"]),
        numbers=st.sets(st.integers(1, 5)),
        head=st.sampled_from(HEADS),
    )
    def offer(self, camera: str, numbers: set[int], head: Box) -> None:
        seconds, place = self.clock.seconds(), CameraId(camera)
        there = [subject(number, seconds, head, camera=place) for number in numbers]
        self.scheduler.offer(frame(seconds, PICTURE, camera=place), there, Timings())
        self.handed_in += len(numbers)

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 7.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.move_to(self.clock.seconds() + seconds)

    @rule(limit=st.integers(1, 9))
    def take(self, limit: int) -> None:
        crops = self.scheduler.take(limit)
        assert len(crops) <= limit
        subjects = [(crop.camera, crop.subject) for crop in crops]
        assert len(subjects) == len(set(subjects)), "at most one waiting crop per subject"
        fresh = self.clock.seconds() - SETTINGS.stale_after_s - 1e-9
        assert all(crop.moment.seconds >= fresh for crop in crops)
        self.out += crops

    @precondition(lambda self: self.out)
    @rule(data=st.data(), occluded=st.floats(0, 1))
    def answer(self, data: st.DataObject, occluded: float) -> None:
        crop = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        seconds = crop.moment.seconds
        self.scheduler.put_verdicts([verdict(crop.subject, seconds, occluded, camera=crop.camera)])
        self.answered[crop.camera] = self.answered.get(crop.camera, 0) + 1

    @precondition(lambda self: self.out)
    @rule()
    def give_up(self) -> None:
        self.scheduler.give_up(self.out)
        self.out = []

    @rule(camera=st.sampled_from(["yard", "lobby"]))
    def collect(self, camera: str) -> None:
        assert len(self.scheduler.collect_verdicts(CameraId(camera))) == self.answered.pop(
            camera, 0
        )

    @invariant()
    def never_more_in_flight_than_allowed(self) -> None:
        assert self.waiting >= 0
        assert self.waiting + len(self.out) <= SETTINGS.in_flight

    def teardown(self) -> None:
        """Every crop handed in was taken, replaced, stale or refused: none is left over."""
        self.scheduler.give_up(self.out)
        for _ in range(SETTINGS.in_flight + 1):
            self.clock.move_to(self.clock.seconds() + 1 / RATE)
            self.scheduler.give_up(self.scheduler.take(99))
        assert self.waiting == 0


@given(
    st.sampled_from([0.3, 1.0, 2.5, 8.0]),
    st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.13, 0.5, 3.0]), st.integers(1, 9))),
)
def test_no_second_has_more_crops_than_its_own_and_those_saved_up(
    rate: float, asked: list[tuple[float, int]]
) -> None:
    clock = ManualClock()
    scheduler = CropScheduler(Scheduler(crops_per_s=rate, in_flight=99), clock)
    numbers, seconds = itertools.count(), 0.0
    taken: list[tuple[float, int]] = []
    for pause, limit in asked:
        seconds += pause
        clock.move_to(seconds)
        crowd = [subject(next(numbers), seconds, HEADS[0]) for _ in range(9)]
        scheduler.offer(frame(seconds, PICTURE), crowd, Timings())
        crops = scheduler.take(limit)
        scheduler.give_up(crops)
        taken.append((seconds, len(crops)))
    for start, _ in taken:
        assert sum(n for at, n in taken if start <= at <= start + 1) <= rate + max(rate, 1) + 1e-6


SchedulerInUse.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestSchedulerInUse = SchedulerInUse.TestCase
