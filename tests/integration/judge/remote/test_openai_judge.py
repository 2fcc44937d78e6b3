"""The remote judge against a real server in a process of its own."""

from pathlib import Path
from unicodedata import category

import pytest

from monitor.build import build_judge
from monitor.cli.check import check
from monitor.cli.errors import FAILED
from monitor.config.judges import OpenAIJudgeSettings as Settings
from monitor.domain import Covering, Verdict
from monitor.errors import ConfigError, JudgeAnswerError, JudgeError, JudgeUnavailableError
from monitor.judge.remote.openai_judge import OpenAIJudge
from monitor.runtime.clock import SystemClock
from tests.support.crops import BLUE, GREY, crop
from tests.support.judge_process import JudgeProcess, eventually

TIMEOUT_S = 2.0  # of the judge; the loaded machine answers within it


def judge(server: JudgeProcess, *, sentences: bool = False, **settings: object) -> OpenAIJudge:
    wanted = {"kind": "openai", "url": server.base, "model": "m", "timeout_s": TIMEOUT_S}
    return OpenAIJudge(
        Settings.model_validate(wanted | settings), SystemClock(), sentences=sentences
    )


def said(verdicts: list[Verdict]) -> list[Covering]:
    return [verdict.covering for verdict in verdicts]


def failure(asked: OpenAIJudge) -> JudgeError:
    with pytest.raises(JudgeError) as caught:
        asked.judge([crop(BLUE)])
    return caught.value


@pytest.mark.parametrize("mode", ["fine", "schema", "plain"])
def test_it_finds_out_how_a_server_can_be_read(server: JudgeProcess, mode: str) -> None:
    server.mode(mode)
    asked = judge(server)
    blue, grey = asked.judge([crop(BLUE), crop(GREY, 2)])
    assert said([blue, grey]) == [Covering.BALACLAVA, Covering.NONE]
    assert blue.occluded > 0.85
    assert grey.occluded < 0.15
    assert sum(blue.probabilities.values()) + blue.unusable == pytest.approx(1)
    assert (blue.subject, grey.subject) == (1, 2)
    assert blue.timings.judge > 0
    server.mode(mode)
    asked.judge([crop(BLUE)])
    assert server.mode("fine")["asked"] == 1, "once it knows, it asks once"


def test_the_first_tokens_probabilities_are_added_up_over_white_space(server: JudgeProcess) -> None:
    (verdict,) = judge(server).judge([crop(BLUE)])
    assert verdict.probabilities[Covering.BALACLAVA] == pytest.approx(0.96, abs=0.01)


def test_a_verifiers_sentence_comes_with_its_verdict(server: JudgeProcess) -> None:
    (verdict,) = judge(server, sentences=True).judge([crop(BLUE)])
    assert verdict.thinking == "it is balaclava"
    assert judge(server).judge([crop(BLUE)])[0].thinking == ""
    assert judge(server).explain(crop(BLUE)) == "There is balaclava."


def test_words_of_a_model_that_obeys_a_shirt_are_only_words(server: JudgeProcess) -> None:
    server.mode("injected")
    (verdict,) = judge(server, sentences=True).judge([crop(BLUE)])
    assert verdict.covering is Covering.BALACLAVA
    assert len(verdict.thinking) <= 200
    assert not any(category(c).startswith("C") for c in verdict.thinking)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("hang", "no answer in"),
        ("broken", "status 500"),
        ("busy", r"busy \(429\)"),
        ("unavailable", r"busy \(503\)"),
        ("locked", "401: check api_key_file"),
    ],
)
def test_a_server_in_trouble_is_unavailable(server: JudgeProcess, mode: str, words: str) -> None:
    server.mode(mode)
    error = failure(judge(server))
    assert isinstance(error, JudgeUnavailableError)
    assert error.retryable
    assert str(error).startswith("127.0.0.1:")
    with pytest.raises(JudgeUnavailableError, match=words):
        raise error


@pytest.mark.parametrize("mode", ["garbage", "not_json", "huge", "gone"])
def test_answers_that_cannot_be_read_are_no_verdict(server: JudgeProcess, mode: str) -> None:
    server.mode(mode)
    asked = judge(server)
    verdicts = [asked.judge([crop(BLUE)])[0] for _ in range(4)]
    assert {verdict.unusable for verdict in verdicts} == {1.0}
    assert not any(verdict.evaluable for verdict in verdicts)
    assert isinstance(failure(asked), JudgeAnswerError), "one after the other: it is said aloud"
    server.mode("fine")
    assert said(asked.judge([crop(BLUE)])) == [Covering.BALACLAVA]


@pytest.mark.slow
def test_a_busy_server_is_left_alone_as_long_as_it_asks_for(server: JudgeProcess) -> None:
    asked = judge(server)
    for mode in ("wait", "wait_until"):
        server.mode(mode, seconds=3)
        assert "busy" in str(failure(asked))
        server.mode("fine")
        assert "left alone for" in str(failure(asked))
        assert server.mode("fine")["asked"] == 0
        verdicts = eventually(asked, crop(BLUE))
        assert said(verdicts) == [Covering.BALACLAVA]


def test_a_server_that_fails_again_and_again_rests_and_is_tried_again(
    server: JudgeProcess,
) -> None:
    asked = judge(server)
    server.mode("broken")
    for _ in range(3):
        assert "status 500" in str(failure(asked))
    assert "left alone" in str(failure(asked))
    assert server.mode("fine")["asked"] == 3
    assert said(eventually(asked, crop(BLUE))) == [Covering.BALACLAVA]


def test_a_server_that_goes_and_comes_back_is_used_again(tmp_path: Path) -> None:
    with JudgeProcess(tmp_path) as server:
        asked = judge(server)
        asked.judge([crop(BLUE)])
        server.stop()
        assert isinstance(failure(asked), JudgeUnavailableError)
        server.start()
        assert said(eventually(asked, crop(BLUE))) == [Covering.BALACLAVA]


def test_many_crops_go_at_once_up_to_the_limit(server: JudgeProcess) -> None:
    asked = judge(server, concurrency=4)
    server.mode("slow", seconds=0.05)
    for _ in range(25):
        assert len(asked.judge([crop(BLUE, n) for n in range(4)])) == 4
    most = server.mode("fine")["most"]
    assert isinstance(most, int)
    assert 2 <= most <= 4


def test_the_key_is_sent_and_never_shown(server: JudgeProcess, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sesame-open\n")
    asked = judge(server, api_key_file=key)
    asked.judge([crop(BLUE)])
    assert server.mode("locked")["key"] == "Bearer sesame-open"
    assert "sesame" not in str(failure(asked))


@pytest.mark.parametrize("content", ["", "two words", "a\nb", "\x00"])
def test_a_file_that_holds_no_key_is_named(
    server: JudgeProcess, tmp_path: Path, content: str
) -> None:
    key = tmp_path / "key"
    key.write_text(content)
    with pytest.raises(ConfigError, match="key: not an API key; put it there in one line"):
        judge(server, api_key_file=key)
    with pytest.raises(ConfigError, match="missing: No such file"):
        judge(server, api_key_file=tmp_path / "missing")
    with pytest.raises(ConfigError, match="name a PEM file"):
        judge(server, ca_file=key)


@pytest.mark.parametrize("mode", ["fine", "schema"])
def test_a_model_that_sees_no_pictures_is_found_at_start(server: JudgeProcess, mode: str) -> None:
    server.mode("blind")
    settings = {"kind": "openai", "url": server.base, "model": "texter"}
    reading = "json" if mode == "schema" else "auto"
    with pytest.raises(ConfigError, match="texter: it says the same of two different pictures"):
        build_judge(Settings.model_validate(settings | {"reading": reading}), SystemClock())


def test_a_model_that_is_not_there_is_found_at_start(server: JudgeProcess) -> None:
    server.mode("gone")
    with pytest.raises(ConfigError, match="404: check url and model"):
        judge(server).warm_up()


def test_a_server_that_is_down_at_start_is_waited_for(server: JudgeProcess) -> None:
    server.mode("broken")
    asked = judge(server)
    asked.warm_up()
    server.mode("fine")
    assert said(eventually(asked, crop(BLUE))) == [Covering.BALACLAVA]


@pytest.mark.parametrize(("mode", "words"), [("fine", "m answered in"), ("locked", "401: check")])
def test_check_with_probe_says_whether_the_judges_answer(
    server: JudgeProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, words: str
) -> None:
    server.mode(mode)
    path = tmp_path / "monitor.yaml"
    judge_ = f"{{kind: openai, url: '{server.base}', model: m}}"
    camera = "{source: {kind: rtsp, url: 'rtsp://127.0.0.1:9/'}}"
    path.write_text(
        f"cameras: {{yard: {camera}}}\njudge: {judge_}\nverifier: {{judge: {judge_}}}\n"
        "mqtt: {port: 9}\n"
    )
    assert check(path, probe=True) == FAILED, "there is no broker"
    said = capsys.readouterr().out.splitlines()
    assert "detector: embedded; judge: openai; verifier: openai" in said
    assert [words in line for line in said if line.startswith(("judge:", "verifier:"))] == [
        True
    ] * 2
