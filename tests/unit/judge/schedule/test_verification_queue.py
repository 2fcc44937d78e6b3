"""Where crops wait for the verifier."""

import threading
from dataclasses import replace

import numpy as np

from monitor.config.judges import EmbeddedJudgeSettings, Verifier
from monitor.domain import CameraId, HeadCrop, Severity, SubjectId
from monitor.judge.schedule.verification_queue import WEIGHT, VerificationQueue
from tests.support.fakes import YARD, ManualClock, moment, raised_alert, verdict

LOBBY = CameraId("lobby")


def queue(clock: ManualClock, **settings: float) -> VerificationQueue:
    return VerificationQueue(
        Verifier.model_validate({"judge": EmbeddedJudgeSettings(), **settings}), clock
    )


def crop(
    number: int, seconds: float = 0, *, camera: CameraId = YARD, head_px: float = 40
) -> HeadCrop:
    pixels = np.zeros((4, 4, 3), np.uint8)
    return HeadCrop(camera, SubjectId(number), moment(seconds), pixels, head_px)


def note(
    asked: VerificationQueue, number: int, occluded: float, seconds: float = 0, px: float = 40
) -> HeadCrop:
    """Tells the queue what the first judge said of a crop."""
    shown = crop(number, seconds, head_px=px)
    asked.record_verdict(shown, verdict(number, seconds, occluded))
    return shown


def test_an_alert_is_asked_about_with_the_subjects_best_crop() -> None:
    asked = queue(ManualClock())
    large = note(asked, 1, 0.95, px=80)
    note(asked, 1, 0.95, seconds=0.4, px=40)
    raised = raised_alert(1)
    asked.ask(raised)
    request = asked.take(0)
    assert request is not None
    assert request.crop is large
    assert request.alert is raised
    assert asked.take(0) is None


def test_an_old_crop_gives_way_to_a_smaller_fresh_one() -> None:
    asked = queue(ManualClock())
    note(asked, 1, 0.95, px=80)
    fresh = note(asked, 1, 0.95, seconds=6, px=40)
    asked.ask(raised_alert(1))
    request = asked.take(0)
    assert request is not None
    assert request.crop is fresh


def test_an_alert_without_any_crop_is_answered_with_nothing() -> None:
    asked = queue(ManualClock())
    raised = raised_alert(1)
    asked.ask(raised)
    (answer,) = asked.collect_answers(YARD)
    assert (answer.alert, answer.seq, answer.verdict) == (raised.id, 0, None)


def test_only_doubts_are_asked_about_without_an_alert() -> None:
    clock = ManualClock()
    asked = queue(clock)
    for number, occluded in enumerate([0.05, 0.5, 0.97]):
        note(asked, number, occluded)
    request = asked.take(0)
    assert request is not None
    assert (request.crop.subject, request.alert) == (1, None)
    assert asked.take(0) is None
    note(asked, 1, 0.5, seconds=1)  # asked a moment ago
    assert asked.waiting == 0
    clock.move_to(2.5)
    note(asked, 1, 0.5, seconds=2.5)
    assert asked.waiting == 1


def test_the_answer_to_a_doubt_comes_back_as_a_weighty_verdict() -> None:
    asked = queue(ManualClock())
    note(asked, 1, 0.5)
    request = asked.take(0)
    assert request is not None
    asked.put_answer(request, verdict(1, 0, 0.97))
    (said,) = asked.collect_verdicts(YARD)
    assert (said.weight, said.occluded) == (WEIGHT, 0.97)
    assert asked.collect_answers(YARD) == []
    assert asked.collect_verdicts(YARD) == []


def test_severe_alerts_go_first_and_doubts_last() -> None:
    clock = ManualClock()
    asked = queue(clock)
    note(asked, 9, 0.5)
    order = [Severity.NOTE, Severity.CRITICAL, Severity.ALERT, Severity.CRITICAL]
    for number, severity in enumerate(order):
        clock.move_to(number / 10)
        note(asked, number, 0.95)
        asked.ask(raised_alert(number, severity))
    taken = [request.crop.subject for _ in range(5) if (request := asked.take(0))]
    assert taken == [1, 3, 2, 0, 9]


def test_what_waits_is_bounded_and_the_least_urgent_goes_unverified() -> None:
    asked = queue(ManualClock(), waiting=2)
    raised = [raised_alert(0, Severity.NOTE), raised_alert(1), raised_alert(2, Severity.CRITICAL)]
    for number, each in enumerate(raised):
        note(asked, number, 0.95)
        asked.ask(each)
    assert asked.waiting == 2
    assert asked.answered_cameras == {YARD}
    assert [answer.alert for answer in asked.collect_answers(YARD)] == [raised[0].id]
    assert asked.answered_cameras == set()
    assert asked.counts.refused == 1


def test_a_doubt_never_takes_the_place_of_an_alert() -> None:
    asked = queue(ManualClock(), waiting=1)
    note(asked, 1, 0.95)
    asked.ask(raised_alert(1, Severity.NOTE))
    note(asked, 2, 0.5)
    request = asked.take(0)
    assert request is not None
    assert request.alert is not None


def test_a_request_that_nobody_waits_for_any_longer_is_dropped_and_counted() -> None:
    clock = ManualClock()
    asked = queue(clock, verify_within_s=3)
    note(asked, 1, 0.95)
    asked.ask(raised_alert(1))
    clock.move_to(3)
    assert asked.take(0) is None
    assert asked.counts.expired == 1
    assert [answer.verdict for answer in asked.collect_answers(YARD)] == [None]


def test_a_request_that_failed_is_asked_again_while_there_is_time() -> None:
    clock = ManualClock()
    asked = queue(clock, verify_within_s=3)
    note(asked, 1, 0.95)
    asked.ask(raised_alert(1))
    for seconds in (0, 1, 2):
        clock.move_to(seconds)
        request = asked.take(0)
        assert request is not None
        assert asked.seconds_left(request) == 3 - seconds
        asked.give_back(request)
    clock.move_to(3)
    assert asked.take(0) is None
    assert asked.counts.asked == 1


def test_a_thousand_subjects_leave_a_bounded_number_of_crops() -> None:
    asked = queue(ManualClock(), waiting=16)
    for number in range(1000):
        note(asked, number, 0.6)
    assert asked.waiting == 16
    asked.ask(raised_alert(0))  # forgotten long ago
    assert [answer.verdict for answer in asked.collect_answers(YARD)] == [None]


def test_cameras_get_their_own_answers_and_the_bell_rings() -> None:
    bell = threading.Event()
    asked = VerificationQueue(Verifier(judge=EmbeddedJudgeSettings()), ManualClock(), bell)
    for camera in (YARD, LOBBY):
        asked.record_verdict(crop(1, camera=camera), replace(verdict(1, 0, 0.95), camera=camera))
        asked.ask(raised_alert(1, camera=camera))
    while (request := asked.take(0)) is not None:
        asked.put_answer(request, replace(verdict(1, 0, 0.9), camera=request.crop.camera))
    assert bell.is_set()
    assert [len(asked.collect_answers(camera)) for camera in (YARD, LOBBY)] == [1, 1]
