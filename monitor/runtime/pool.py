"""Threads for calls that may hang, which nobody waits for without limit."""

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from monitor.runtime.worker import failure_of

T = TypeVar("T")

_Task: TypeAlias = tuple[Callable[[], Any], Future[Any]]


class DaemonPool:
    """A few threads that do what they are given, in its order. Thread-safe.

    Unlike those of a ThreadPoolExecutor, they do not keep the process from ending. They end
    with ``close``, or when nobody holds the pool any longer.

    Args:
        threads: How many.
        name: What they are called, with a number behind it.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._changing = threading.Lock()
        self._threads = [
            threading.Thread(target=_work, args=(self._tasks,), name=f"{name}_{n}", daemon=True)
            for n in range(threads)
        ]
        self._end = weakref.finalize(self, _end, self._tasks, threads)
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have a thread do it; what it raises is raised where the result is taken.

        Raises:
            RuntimeError: The pool is closed.
        """
        future: Future[T] = Future()
        with self._changing:
            if not self._end.alive:
                raise RuntimeError("the pool is closed")
            self._tasks.put((work, future))
        return future

    def close(self, timeout_s: float) -> bool:
        """Cancel what has not begun and wait for the rest. False if some is still at work."""
        with self._changing:
            if self._end.alive:
                _cancel(self._tasks)
                self._end()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


def _work(tasks: "SimpleQueue[_Task | None]") -> None:
    """Do one after the other; the pool itself is not held, so that it can be given up."""
    while (task := tasks.get()) is not None:
        _do(*task)
        del task  # and with it what it worked on


def _do(work: Callable[[], Any], future: "Future[Any]") -> None:
    if not future.set_running_or_notify_cancel():
        return
    results: list[Any] = []
    error = failure_of(lambda: results.append(work()))
    if error is not None:
        future.set_exception(error)  # raised where the result is taken
    else:
        future.set_result(results[0])


def _end(tasks: "SimpleQueue[_Task | None]", threads: int) -> None:
    for _ in range(threads):
        tasks.put(None)


def _cancel(tasks: "SimpleQueue[_Task | None]") -> None:
    try:
        while (task := tasks.get_nowait()) is not None:
            task[1].cancel()
    except Empty:
        return
