"""From a request's body to its answer, on threads of our own: few to fetch, one to judge."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from fastapi import HTTPException

from monitor.errors import (
    AddressRefusedError,
    JudgeError,
    SourceError,
    SourceRejectedError,
    TooLargeError,
    WrongMediaError,
)
from monitor.serve import OcclusionRequest, OcclusionService
from monitor.serve.admission import RETRY_S, Busy, RequestSlots
from monitor.serve.messages import read_request

_FETCHERS = 4
_RESERVE = 0.3  # of the time limit must be left when a request's turn comes
_GRACE_S = 0.5  # what comes this much after the limit still counts as in time
_STATUS: dict[type[SourceError], int] = {
    AddressRefusedError: 403,
    TooLargeError: 413,
    WrongMediaError: 415,
}
_UNREADABLE = 422


class Late(Exception):  # noqa: N818  (not a failure of ours: the queue was too long)
    """A request's turn came too late for an answer in time."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request's way through the threads."""

    request: OcclusionRequest
    deadline: float  # on time.monotonic
    reserve_s: float


class RequestExecutor:
    """Answers requests' bodies. Used from the event loop; ``close`` waits for the threads.

    A slot is taken for as long as a request's work goes on, even if its caller has left or
    its time is up: what is running cannot be stopped, and must not be run beside more.
    """

    def __init__(self, service: OcclusionService, limit_s: float) -> None:
        self._service = service
        self._limit_s = limit_s
        self._fetching = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="http-fetch")
        self._judging = ThreadPoolExecutor(1, thread_name_prefix="http-judge")

    def close(self) -> None:
        """Give up what waits, and end when what runs has ended."""
        self._fetching.shutdown(cancel_futures=True)
        self._judging.shutdown(cancel_futures=True)

    async def answer(self, body: bytes, slots: RequestSlots) -> Mapping[str, object]:
        """The contract's JSON. Gives the caller's slot back once nothing runs any more.

        Raises:
            HTTPException: With the status that says why there is no answer.
        """
        deadline = time.monotonic() + self._limit_s
        first = self._fetching.submit(self._understood, body, deadline)
        last: Future[Mapping[str, object]] | None = None
        try:
            async with asyncio.timeout(self._limit_s + _GRACE_S):
                job = await asyncio.wrap_future(first)
                last = self._judging.submit(self._judged, job)
                return await asyncio.wrap_future(last)
        except (Late, asyncio.CancelledError):
            raise Busy from None
        except TimeoutError:
            raise HTTPException(
                503, "no answer in time; come again", {"Retry-After": str(RETRY_S)}
            ) from None
        except SourceError as error:
            raise HTTPException(_STATUS.get(type(error), _UNREADABLE), str(error)) from None
        except JudgeError as error:
            raise HTTPException(
                503, f"the judge gives no answer: {error}", {"Retry-After": str(RETRY_S)}
            ) from None
        finally:
            (last or first).add_done_callback(lambda _: slots.leave())

    def _understood(self, body: bytes, deadline: float) -> Job:
        """The request, with its content, however it was given."""
        request = read_request(body).request()
        if request.url is not None:
            request = replace(
                request, content=self._service.fetched(request.url, deadline), url=None
            )
        if not request.content:
            raise SourceRejectedError("the file is empty")
        return Job(request, deadline, _RESERVE * self._limit_s)

    def _judged(self, job: Job) -> Mapping[str, object]:
        if time.monotonic() > job.deadline - job.reserve_s:
            raise Late
        return self._service.answer(job.request, job.deadline)
