"""The judge behind the hosted contract, against a real server in a process of its own."""

import json
import time

import pytest

from monitor.build import build_judge
from monitor.config.judges import BynnJudgeSettings as Settings
from monitor.domain import OCCLUDED, Covering
from monitor.errors import ConfigError, JudgeUnavailableError
from monitor.judge.remote.bynn_judge import BynnJudge
from monitor.runtime.clock import SystemClock
from tests.support.crops import BLUE, GREY, crop
from tests.support.judge_process import JudgeProcess, eventually
from tests.support.ports import free_port

PUBLISHED = {
    "inference_id": "inf_abc123def456",
    "model_id": "face_occlusion_detection",
    "model_name": "Face Occlusion Detection",
    "moderation_type": "image",
    "status": "completed",
    "result": {"response": {"occluded": False}, "thinking": ""},
}


def judge(url: str) -> BynnJudge:
    return BynnJudge(Settings(kind="bynn", url=url, timeout_s=2), SystemClock())


def test_yes_and_no_become_verdicts(server: JudgeProcess) -> None:
    server.mode("fine")
    blue, grey = judge(server.hosted).judge([crop(BLUE), crop(GREY)])
    assert blue.occluded == pytest.approx(0.95)
    assert grey.occluded == pytest.approx(0.05)
    assert len({blue.probabilities[covering] for covering in OCCLUDED}) == 1, "it names none"
    assert blue.thinking == "as it seems"


def test_the_published_answer_is_read(server: JudgeProcess) -> None:
    server.mode("text", text=json.dumps(PUBLISHED))
    (verdict,) = judge(server.hosted).judge([crop(BLUE)])
    assert verdict.covering is Covering.NONE
    assert verdict.occluded == pytest.approx(0.05)


def test_a_server_that_names_the_covering_is_believed(server: JudgeProcess) -> None:
    response = {"occluded": True, "covering": "scarf", "probability": 0.8}
    result = {"response": response, "thinking": "a\x1b[31m scarf"}
    server.mode("text", text=json.dumps(PUBLISHED | {"result": result}))
    (verdict,) = judge(server.hosted).judge([crop(BLUE)])
    assert verdict.named is Covering.SCARF
    assert verdict.occluded == pytest.approx(0.8)
    assert verdict.thinking == "a[31m scarf"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        PUBLISHED | {"status": "failed"},
        PUBLISHED | {"result": {"response": {"occluded": "false"}, "thinking": ""}},
        PUBLISHED | {"result": {"response": {}, "thinking": ""}},
        [],
    ],
)
def test_any_other_answer_is_no_verdict(server: JudgeProcess, answer: object) -> None:
    server.mode("text", text=json.dumps(answer))
    (verdict,) = judge(server.hosted).judge([crop(BLUE)])
    assert not verdict.evaluable


@pytest.mark.slow
def test_a_busy_service_is_left_alone_for_four_seconds(server: JudgeProcess) -> None:
    asked = judge(server.hosted)
    server.mode("busy")
    with pytest.raises(JudgeUnavailableError, match=r"busy \(429\)"):
        asked.judge([crop(BLUE)])
    server.mode("fine")
    started = time.monotonic()
    with pytest.raises(JudgeUnavailableError, match=r"left alone for [34]\.\d s"):
        asked.judge([crop(BLUE)])
    (verdict,) = eventually(asked, crop(BLUE))
    assert time.monotonic() - started > 3
    assert verdict.occluded > 0.9


def test_what_answers_but_is_not_the_service_is_found_at_start(server: JudgeProcess) -> None:
    server.mode("fine")
    settings = Settings(kind="bynn", url=f"{server.base}/elsewhere", timeout_s=2)
    with pytest.raises(ConfigError, match="404: check url and model; check url"):
        build_judge(settings, SystemClock())


def test_a_service_that_is_down_at_start_is_waited_for(
    server: JudgeProcess, caplog: pytest.LogCaptureFixture
) -> None:
    server.mode("broken")
    asked = judge(server.hosted)
    asked.warm_up()
    (warning,) = caplog.messages
    assert "500" in warning
    assert warning.endswith("starting without it")
    server.mode("fine")
    (verdict,) = eventually(asked, crop(BLUE))
    assert verdict.occluded > 0.9


def test_an_address_where_nobody_listens_is_no_reason_not_to_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = judge(f"http://127.0.0.1:{free_port()}")
    asked.warm_up()
    (warning,) = caplog.messages
    assert "refused" in warning
    assert warning.endswith("starting without it")
    with pytest.raises(JudgeUnavailableError):
        asked.judge([crop(BLUE)])
