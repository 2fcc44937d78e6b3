"""The verifier's threads."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from monitor.config.judges import EmbeddedJudgeSettings, Verifier
from monitor.domain import HeadCrop, JudgeName, SubjectId, Verdict, VerifierAnswer
from monitor.errors import JudgeAnswerError, JudgeUnavailableError
from monitor.judge.schedule.verification_queue import VerificationQueue
from monitor.judge.schedule.verifier_worker import VerifierWorker, find_trouble
from monitor.runtime.backoff import Backoff
from monitor.runtime.stop import StopSwitch
from tests.support.fakes import (
    YARD,
    BlueJudge,
    ManualClock,
    ManualStop,
    moment,
    raised_alert,
    verdict,
)

BLUE = np.full((8, 8, 3), (200, 40, 40), np.uint8)
DOWN = JudgeUnavailableError("down")
GARBAGE = JudgeAnswerError("garbage")


class Talkative:
    """A Judge that writes a sentence with every verdict."""

    name = JudgeName("talkative", "1")

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        return [replace(verdict(1, 0, 0.97), thinking="said at once") for _ in crops]

    def explain(self, crop: HeadCrop) -> str:
        raise JudgeAnswerError(f"asked again about {crop.subject}")


def asked(judge: BlueJudge | Talkative) -> tuple[VerificationQueue, VerifierWorker]:
    """A queue with one alert's request, and a worker."""
    clock = ManualClock()
    queue = VerificationQueue(Verifier(judge=EmbeddedJudgeSettings()), clock)
    queue.record_verdict(HeadCrop(YARD, SubjectId(1), moment(0), BLUE, 40), verdict(1, 0, 0.95))
    queue.ask(raised_alert(1))
    return queue, VerifierWorker(queue, judge, Backoff(0.001, 0.002))


def test_an_answer_comes_with_a_sentence() -> None:
    queue, worker = asked(BlueJudge(sentences=["wool"]))
    assert worker.answer_waiting() == 1
    (answer,) = queue.collect_answers(YARD)
    assert answer.verdict is not None
    assert answer.verdict.thinking == "wool"


def test_a_sentence_that_came_with_the_verdict_is_kept() -> None:
    queue, worker = asked(Talkative())
    worker.answer_waiting()
    (answer,) = queue.collect_answers(YARD)
    assert answer.verdict is not None
    assert answer.verdict.thinking == "said at once"


def test_no_sentence_is_no_reason_to_lose_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    queue, worker = asked(BlueJudge(sentences=[DOWN]))
    with caplog.at_level(logging.WARNING):
        worker.answer_waiting()
    (answer,) = queue.collect_answers(YARD)
    assert answer.verdict is not None
    assert "no sentence: down" in caplog.text


def test_a_verifier_that_is_down_is_asked_again() -> None:
    queue, worker = asked(BlueJudge([DOWN, DOWN]))
    stop = ManualStop(waits_allowed=2)
    worker.run(stop)
    assert len(stop.waits) == 2
    assert (worker.trouble, find_trouble([worker])) == ("down", "down")
    assert queue.waiting == 1
    assert worker.answer_waiting() == 1


def test_garbage_is_not_asked_for_twice() -> None:
    queue, worker = asked(BlueJudge([GARBAGE]))
    stop = StopSwitch()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    answers: list[VerifierAnswer] = []
    deadline = time.monotonic() + 30
    while not answers and time.monotonic() < deadline:
        answers = queue.collect_answers(YARD)
        time.sleep(0.01)
    stop.request()
    thread.join(30)
    assert [answer.verdict for answer in answers] == [None]
    assert worker.trouble == "garbage"


def test_in_a_replay_a_dead_verifier_is_given_up_after_some_tries() -> None:
    queue, worker = asked(BlueJudge([DOWN] * 9))
    assert worker.answer_waiting() == 0
    assert [answer.verdict for answer in queue.collect_answers(YARD)] == [None]


def test_the_verifier_fails_only_if_all_of_its_threads_do() -> None:
    workers = [asked(BlueJudge([DOWN]))[1] for _ in range(2)]
    assert find_trouble([]) is None
    workers[0].run(ManualStop(waits_allowed=1))
    assert find_trouble(workers) is None
    workers[1].run(ManualStop(waits_allowed=1))
    assert find_trouble(workers) == "down"
