"""The judge's thread."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from monitor.config.judges import Scheduler
from monitor.domain import HeadCrop, Timings, Verdict
from monitor.errors import JudgeAnswerError, JudgeError, JudgeUnavailableError
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from monitor.judge.schedule.crop_scheduler import CropScheduler
from monitor.judge.schedule.judge_worker import PACE_S, JudgeWorker
from monitor.runtime.backoff import Backoff
from tests.support.fakes import YARD, BlueJudge, ManualClock, ManualStop, frame, subject, textured

HEAD = Box(100, 60, 160, 140)
CLEAR = ArrayPicture(textured(320, 180))
COVERED = ArrayPicture(textured(320, 180, tint=(1, 0.5, 0.3)))


class Office:
    """A scheduler, and the worker that empties it into a judge."""

    def __init__(
        self, judge: BlueJudge, *, batch: int = 4, scheduler: Scheduler | None = None
    ) -> None:
        self.clock = ManualClock()
        self.scheduler = CropScheduler(scheduler or Scheduler(), self.clock)
        self.judge = judge
        self.worker = JudgeWorker(self.scheduler, judge, batch, Backoff(first_s=1, limit_s=60))

    def offer(self, seconds: float, *numbers: int, picture: ArrayPicture = COVERED) -> None:
        self.clock.move_to(seconds)
        there = [subject(number, seconds, HEAD) for number in numbers]
        self.scheduler.offer(frame(seconds, picture), there, Timings())

    def words(self, seconds: float, *numbers: int, picture: ArrayPicture = COVERED) -> list[str]:
        """What verdicts say about subjects that are looked at now."""
        self.offer(seconds, *numbers, picture=picture)
        self.worker.answer_waiting()
        return [verdict.thinking for verdict in self.scheduler.collect_verdicts(YARD)]


def test_everything_that_waits_is_answered_in_batches() -> None:
    office = Office(BlueJudge(), batch=4)
    office.offer(0, *range(10))
    assert office.worker.answer_waiting() == 10
    assert office.judge.batches == [4, 4, 2]
    assert len(office.scheduler.collect_verdicts(YARD)) == 10


def test_answering_stops_where_the_budget_does() -> None:
    office = Office(BlueJudge(), scheduler=Scheduler(crops_per_s=3))
    office.offer(0, *range(10))
    assert office.worker.answer_waiting() == 3


def test_a_suspicious_subject_is_explained_once_and_its_next_verdict_says_so() -> None:
    office = Office(BlueJudge(sentences=["a knitted balaclava", "asked twice"]))
    said = [office.words(n / 2, 1) for n in range(4)]
    assert said == [[""], ["a knitted balaclava"], ["a knitted balaclava"], []]
    assert office.judge.explained == [1]


def test_nobody_explains_a_free_face() -> None:
    office = Office(BlueJudge(sentences=["nothing to see"]))
    assert office.words(0, 1, 2, picture=CLEAR) == ["", ""]
    assert office.judge.explained == []


def test_each_subject_has_its_own_sentence() -> None:
    office = Office(BlueJudge(sentences=["the first", "the second", "never"]))
    office.words(0, 1, 2)
    assert office.words(0.5, 1, 2) == ["the first", "the second"]


def test_a_judge_with_nothing_to_say_is_not_asked_again() -> None:
    """Generating takes as long as many crops, whether or not a sentence comes of it."""
    office = Office(BlueJudge(sentences=[""]))
    for n in range(3):
        office.words(n / 2, 1)
    assert office.judge.explained == [1]


def test_sentences_of_people_long_gone_are_forgotten() -> None:
    office = Office(
        BlueJudge(sentences=["covered"]), scheduler=Scheduler(crops_per_s=999, in_flight=999)
    )
    office.words(0, 1)
    office.words(10, *range(2, 601))
    assert office.words(20, 1) == [""]


def test_an_unavailable_judge_is_waited_out_and_its_crops_are_due_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office(BlueJudge(failures=[JudgeUnavailableError("out of memory")]))
    office.offer(0, 1, 2)
    stop = ManualStop(waits_allowed=1)
    with caplog.at_level(logging.WARNING):
        office.worker.run(stop)
    (pause_s,) = stop.waits
    assert 0.5 <= pause_s <= 1
    assert "judge blue: out of memory; retrying in" in caplog.text
    assert office.scheduler.collect_verdicts(YARD) == []

    office.offer(0.1, 1, 2)
    assert office.worker.answer_waiting() == 2
    assert [verdict.subject for verdict in office.scheduler.collect_verdicts(YARD)] == [1, 2]


def test_a_judge_that_keeps_failing_is_asked_ever_more_rarely_but_never_given_up() -> None:
    failures = [JudgeUnavailableError("down"), JudgeAnswerError("gibberish")] * 4
    office = Office(BlueJudge(failures))

    class Patient(ManualStop):
        """Somebody stands in view during each of the waits."""

        def wait(self, seconds: float) -> bool:
            office.offer(len(self.waits) + 1, 1)
            return super().wait(seconds)

    stop = Patient(waits_allowed=8)
    office.offer(0, 1)
    office.worker.run(stop)
    steps = [1, 2, 4, 8, 16, 32, 60, 60]
    assert all(step / 2 <= pause <= step for step, pause in zip(steps, stop.waits, strict=True))
    assert office.worker.answer_waiting() == 1


def test_a_success_shortens_the_next_wait() -> None:
    failures = [JudgeUnavailableError("down")]
    office = Office(BlueJudge(failures), scheduler=Scheduler(crops_per_s=1))
    office.worker.backoff.next_delay_s()
    office.worker.backoff.next_delay_s()
    office.offer(0, 1)

    class OneSuccess(ManualStop):
        def wait(self, seconds: float) -> bool:
            office.offer(1, 1, 2)
            return super().wait(seconds)

    stop = OneSuccess(waits_allowed=2)
    office.worker.run(stop)
    assert stop.waits[0] >= 2, "the third wait in a row"
    assert stop.waits[1] == PACE_S, "one was answered, the other is beyond the budget"
    assert office.worker.backoff.next_delay_s() <= 1


class Mute(BlueJudge):
    """Judges, but fails whenever it is asked for a sentence."""

    def __init__(self, error: JudgeError) -> None:
        super().__init__(sentences=[error])


def test_a_sentence_that_fails_costs_no_verdict_and_no_place_at_the_scheduler() -> None:
    office = Office(Mute(JudgeUnavailableError("out of memory")), scheduler=Scheduler(in_flight=2))
    for n in range(3):
        assert office.words(n / 2, 1, 2) == ["", ""]
    office.offer(9, *range(10, 20))
    assert office.worker.answer_waiting() == 2, "never more in flight than allowed"


def test_the_worker_does_not_pause_between_batches() -> None:
    office = Office(BlueJudge(), batch=2)
    office.offer(0, *range(5))

    class Collecting(ManualStop):
        @property
        def requested(self) -> bool:
            return sum(office.judge.batches) >= 5

    stop = Collecting(waits_allowed=0)
    office.worker.run(stop)
    assert stop.waits == []
    assert office.judge.batches == [2, 2, 1]


class Talker(BlueJudge):
    """Explains itself while it judges."""

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        return [replace(verdict, thinking="at once") for verdict in super().judge(crops)]


def test_a_judge_that_explains_itself_is_not_asked_to() -> None:
    office = Office(Talker(sentences=["later"]))
    assert office.words(0, 1) == ["at once"]
    assert office.judge.explained == []
