"""Threads for calls that may hang; waiting for them always has a limit."""

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from monitor.runtime.worker import catch_failure

T = TypeVar("T")

_Task: TypeAlias = tuple[Callable[[], Any], Future[Any]]


class DaemonPool:
    """Runs tasks on daemon threads, in the order of submission. Thread-safe.

    Unlike those of a ThreadPoolExecutor, these threads do not keep the process from ending. They
    end with ``close``, or when the pool is garbage-collected.

    Args:
        threads: The number of threads.
        name: The start of the threads' names; a number follows.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._changing = threading.Lock()
        self._threads = [
            threading.Thread(
                target=_run_tasks, args=(self._tasks,), name=f"{name}_{n}", daemon=True
            )
            for n in range(threads)
        ]
        self._end = weakref.finalize(self, _end_threads, self._tasks, threads)
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run a task on one of the threads; its error is raised by the future's ``result``.

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
        """Cancel waiting tasks and wait for running ones. False if some still run after that."""
        with self._changing:
            if self._end.alive:
                _cancel_tasks(self._tasks)
                self._end()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


def _run_tasks(tasks: "SimpleQueue[_Task | None]") -> None:
    """Run one task after the other. Holds no reference to the pool, so that it can be collected."""
    while (task := tasks.get()) is not None:
        _run_task(*task)
        del task  # frees its arguments before the next one comes


def _run_task(work: Callable[[], Any], future: "Future[Any]") -> None:
    if not future.set_running_or_notify_cancel():
        return
    results: list[Any] = []
    error = catch_failure(lambda: results.append(work()))
    if error is not None:
        future.set_exception(error)  # raised where the result is taken
    else:
        future.set_result(results[0])


def _end_threads(tasks: "SimpleQueue[_Task | None]", threads: int) -> None:
    for _ in range(threads):
        tasks.put(None)


def _cancel_tasks(tasks: "SimpleQueue[_Task | None]") -> None:
    try:
        while (task := tasks.get_nowait()) is not None:
            task[1].cancel()
    except Empty:
        return
