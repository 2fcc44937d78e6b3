"""Threads that do not keep the process from ending."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from monitor.runtime.pool import DaemonPool

HANGING_CALL = """
import threading
from monitor.runtime.pool import DaemonPool

begun = threading.Event()
pool = DaemonPool(1, "call")
pool.submit(lambda: begun.set() or threading.Event().wait())
assert begun.wait(30)
print("left")
"""

HANGING_DETECTOR = """
import sys, threading
from pathlib import Path
from monitor.daemon.detection_queue import DetectionQueue
from tests.support.pipelines import Boxes, pipeline_of

begun = threading.Event()

class Hanging:
    def detect(self, frames):
        begun.set()
        threading.Event().wait()

with DetectionQueue(pipeline_of(Path(sys.argv[1]), Hanging())) as queue:
    queue.fill(Boxes().newest)
    assert begun.wait(30)
print("left")
"""


@pytest.mark.parametrize("code", [HANGING_CALL, HANGING_DETECTOR])
def test_a_call_that_hangs_does_not_keep_the_process(code: str, tmp_path: Path) -> None:
    """The interpreter waited for it for ever, and only systemd's SIGKILL ended it."""
    ran = subprocess.run(  # noqa: S603  (our own interpreter and text)
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "left\n"), ran.stderr


def test_what_was_begun_is_waited_for_and_the_rest_cancelled() -> None:
    begun, let = threading.Event(), threading.Event()
    pool = DaemonPool(1, "call")

    def call() -> str:
        """Ends when it is let."""
        begun.set()
        assert let.wait(30)
        return "done"

    first, second = pool.submit(call), pool.submit(call)
    assert begun.wait(30)
    assert not pool.close(0.0)
    let.set()
    assert pool.close(30.0)
    assert (first.result(0), second.cancelled()) == ("done", True)
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(call)


def test_what_a_call_raises_reaches_who_takes_the_result_and_the_next_is_done() -> None:
    pool = DaemonPool(1, "call")
    failing, next_one = pool.submit(lambda: 1 // 0), pool.submit(lambda: 2)
    with pytest.raises(ZeroDivisionError):
        failing.result(30)
    assert next_one.result(30) == 2
    assert pool.close(30.0)


def test_threads_end_when_nobody_holds_their_pool() -> None:
    pool = DaemonPool(2, "given-up")
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("given-up")]
    assert len(threads) == 2
    del pool
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
