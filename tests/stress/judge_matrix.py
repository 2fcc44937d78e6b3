"""Every way a verifier can fail, end to end: a real daemon, a real server, a real broker.

    python -m tests.stress.judge_matrix [CASE ...]

For each case one recording of a covered face is played at its own speed. The table says
which states came over the wire, how long after the subject could be judged the alert was
there, and how long after that the verifier's word.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from monitor.build import Models
from monitor.config.judges import OpenAIJudgeSettings as Settings
from monitor.config.schema import Config, Mqtt
from monitor.daemon.run import run
from monitor.judge.remote.openai_judge import OpenAIJudge
from monitor.publish.mqtt.subscriber import Received, Subscriber
from monitor.runtime.clock import SystemClock
from tests.support.broker import Mosquitto
from tests.support.clips import write_clip
from tests.support.fakes import BlueJudge, ScriptedDetector
from tests.support.judge_process import JudgeProcess
from tests.support.scenes import BOTH, draw_scene

WITHIN_S: Final = 4.0  # for the verifier
FRAMES: Final = 60  # of the recording, ten a second
_STEPS: Final = ("detect", "track", "queue", "judge")  # from the frame to the decision
_PAGE_KB: Final = 4


@dataclass(frozen=True, slots=True)
class Case:
    """One way to fail, and the word that must follow ``raised``."""

    name: str
    word: str
    mode: str
    seconds: float = 0.0
    then: str | None = None  # the mode after the alert was raised, or "start"
    down: bool = False  # the server does not run at first
    within_s: float = WITHIN_S


CASES: Final = (
    Case("fine", "confirmed", "fine"),
    Case("sees a free face", "rejected", "blind"),
    Case("hangs", "unverified", "hang"),
    Case("500s", "unverified", "broken"),
    Case("429", "unverified", "busy"),
    Case("429 once", "confirmed", "busy", then="fine"),
    Case("429, Retry-After 1", "confirmed", "wait", 1.0, then="fine"),
    Case("503, Retry-After a date", "unverified", "wait_until", 30.0),
    Case("401", "unverified", "locked"),
    Case("garbage", "unverified", "garbage"),
    Case("not JSON", "unverified", "not_json"),
    Case("endless answer", "unverified", "huge"),
    Case("obeys a T-shirt", "confirmed", "injected"),
    Case("ten times slower", "confirmed", "slow", 0.5),
    Case("slower than it may be", "unverified", "slow", 30.0),
    Case("down at start", "unverified", "fine", down=True),
    Case("down at start, then there", "confirmed", "fine", down=True, then="start", within_s=40),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one case led to."""

    case: Case
    states: tuple[str, ...]
    raised_ms: float  # from when the subject could be judged to the wire
    word_ms: float  # from there to the verifier's word
    rss_mb: float  # of this process, afterwards
    thinking: str
    topics: frozenset[str]

    @property
    def right(self) -> bool:
        """Whether it went as it must; times are for people to read."""
        ends = () if self.case.word == "rejected" else ("ended",)
        return self.states == ("raised", self.case.word, *ends)


class Ear:
    """Hears every alert of the site."""

    def __init__(self) -> None:
        self.heard: list[tuple[datetime, dict[str, object]]] = []
        self.topics: set[str] = set()
        self.raised = threading.Event()

    def hear(self, received: Received) -> None:
        """Take in one message."""
        self.topics.add(received.topic)
        body = json.loads(received.payload)
        self.heard.append((received.arrived_at, body))
        self.raised.set()


def play(case: Case, folder: Path, broker: Mosquitto, server: JudgeProcess) -> Row:
    """One case, from start to end."""
    folder.mkdir(parents=True)
    clip = write_clip(folder / "clip.mp4", [draw_scene()] * FRAMES)
    server.mode(case.mode, case.seconds)
    if case.down:
        server.stop()
    ear = Ear()
    changing = threading.Thread(target=_change, args=(case, ear, server))
    with Subscriber(Mqtt(port=broker.port), ear.hear, kinds=["alert"]):
        changing.start()
        run(_config(case, folder, clip, broker.port), _models(server))
        time.sleep(0.3)  # for what is on its way to us
    ear.raised.set()
    changing.join()
    if case.down and case.then is None:
        server.start()
    return _row(case, ear)


def _change(case: Case, ear: Ear, server: JudgeProcess) -> None:
    """What happens to the server once the alert is out."""
    ear.raised.wait(60)
    if case.then == "start":
        server.start()
    elif case.then is not None:
        time.sleep(0.5)
        server.mode(case.then)


def _config(case: Case, folder: Path, clip: Path, port: int) -> Config:
    return Config.model_validate(
        {
            "site": "matrix",
            "cameras": {"yard": {"source": {"kind": "file", "path": clip}}},
            "verifier": {"judge": {"kind": "embedded"}, "verify_within_s": case.within_s},
            "mqtt": {"port": port},
            "outbox": folder / "outbox",
            "evidence": folder / "evidence",
        }
    )


def _models(server: JudgeProcess) -> Models:
    settings = Settings(kind="openai", url=server.base, model="m", timeout_s=2)
    judge = OpenAIJudge(settings, SystemClock(), sentences=True)
    detector = ScriptedDetector(dict.fromkeys(range(FRAMES), BOTH))
    return Models(detector, BlueJudge(), 4, verifier=judge, verifier_threads=2)


def _row(case: Case, ear: Ear) -> Row:
    first_at, first = ear.heard[0]
    steps = first["timings_ms"]
    assert isinstance(steps, dict)
    before_ms = sum(float(steps[step]) for step in _STEPS)
    decided = datetime.fromisoformat(str(first["raised_at"]))
    words = [(at, body) for at, body in ear.heard if body["state"] == case.word]
    said_at, said = words[0] if words else (first_at, first)
    return Row(
        case=case,
        states=tuple(str(body["state"]) for _, body in ear.heard),
        raised_ms=1000 * (first_at - decided).total_seconds() + before_ms,
        word_ms=1000 * (said_at - first_at).total_seconds(),
        rss_mb=_resident_mb(),
        thinking=str(said["thinking"]),
        topics=frozenset(ear.topics),
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE_KB / 1024


def matrix(cases: Sequence[Case], folder: Path, tell: Callable[[Row], None]) -> list[Row]:
    """Play some cases, one after the other.

    Args:
        cases: Which.
        folder: For everything that is written.
        tell: Called with each row as it is there.
    """
    rows = []
    with Mosquitto(folder) as broker, JudgeProcess(folder) as server:
        for number, case in enumerate(cases):
            row = play(case, folder / str(number), broker, server)
            tell(row)
            rows.append(row)
    return rows


def main() -> int:
    """Print the table; 1 if anything went otherwise than it must."""
    wanted = [case for case in CASES if not sys.argv[1:] or case.name in sys.argv[1:]]
    print(f"{'case':<27}{'states':<30}{'raised ms':>10}{'word ms':>9}{'RSS MB':>8}")  # noqa: T201

    def tell(row: Row) -> None:
        """One line."""
        figures = f"{row.raised_ms:10.0f}{row.word_ms:9.0f}{row.rss_mb:8.0f}"
        verdict = "" if row.right else "  WRONG"
        print(f"{row.case.name:<27}{' '.join(row.states):<30}{figures}{verdict}", flush=True)  # noqa: T201

    with tempfile.TemporaryDirectory() as folder:
        rows = matrix(wanted, Path(folder), tell)
    return 0 if all(row.right for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
