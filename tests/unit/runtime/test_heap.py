"""Heaps of the C library that stay few and small."""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.runtime import heap
from monitor.runtime.heap import TRIM_EVERY_S, Trimmer
from tests.support.fakes import ManualClock

CROWD = """
import ctypes, threading
from monitor.runtime import heap
print(heap.limit_heaps(3))
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
here = threading.Barrier(8)
def hold():
    libc.malloc(1000)
    here.wait(30)
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def heaps_of_a_crowd(**environment: str) -> tuple[bool, int]:
    """Whether heaps were limited to three in a program of eight threads, and how many it had."""
    told = subprocess.run(  # noqa: S603  (our own arguments)
        [sys.executable, "-u", "-c", CROWD],
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": os.environ["PATH"]}
        | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return told.startswith("True"), len(re.findall(r"<heap nr=", told))


def test_many_threads_share_few_heaps() -> None:
    assert heaps_of_a_crowd() == (True, 3)


def test_the_users_own_limit_of_heaps_wins() -> None:
    assert heaps_of_a_crowd(MALLOC_ARENA_MAX="5") == (False, 5)


def test_what_is_free_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    pieces = [ctypes.c_void_p(libc.malloc(60_000)) for _ in range(400)]
    for piece in pieces:
        ctypes.memset(piece, 1, 60_000)
    before = resident_kb()
    for piece in pieces[:-1]:  # the last one keeps the heap's end in use
        libc.free(piece)
    assert heap.return_free_memory()
    after = resident_kb()
    libc.free(pieces[-1])
    assert after < before - 15_000


def resident_kb() -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found
    return int(found[1])


@pytest.mark.parametrize(
    ("ended", "seconds", "times"),
    [
        ([0, 0], [TRIM_EVERY_S, 2 * TRIM_EVERY_S], 0),  # nothing has ended
        ([2, 2], [TRIM_EVERY_S, 2 * TRIM_EVERY_S], 1),  # once for both
        ([1, 2], [TRIM_EVERY_S, 2 * TRIM_EVERY_S], 2),
        ([1, 2, 3], [TRIM_EVERY_S, TRIM_EVERY_S + 1, TRIM_EVERY_S + 59], 1),  # too early again
        ([9], [TRIM_EVERY_S - 1], 0),  # too early
    ],
)
def test_memory_is_given_back_after_connections_have_ended_but_not_often(
    ended: list[int], seconds: list[float], times: int
) -> None:
    clock, given = ManualClock(), []
    counts = dict(zip(seconds, ended, strict=True))
    trimmer = Trimmer(lambda: counts[clock.seconds()], clock, lambda: given.append(1))
    for second in seconds:
        clock.move_to(second)
        trimmer.trim_if_due()
    assert len(given) == times
