"""JSON over HTTP to a judge on another machine, with limits on time and size."""

import json
import ssl
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from monitor.errors import ConfigError, JudgeAnswerError, JudgeUnavailableError
from monitor.judge.remote.circuit_breaker import CircuitBreaker, parse_retry_after

MAX_ANSWER_BYTES: Final = 1 << 20  # longer answers are refused
_CONNECT_S: Final = 3.0
_BUSY: Final = (429, 503, 529)
_KEY_REFUSED: Final = (401, 403)
BUSY_WAITS_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait after busy answers in a row that name no time."""


class JsonClient:
    """Posts JSON to one server. Thread-safe.

    Redirects are not followed: pictures go where the configuration says and nowhere else.

    Args:
        base: Of all addresses; without credentials.
        key_file: Holds the bearer token in one line; None sends none.
        ca_file: Trusted certificate authorities; None takes the system's.
        timeout_s: For one answer, from the first byte sent to the last received.
        concurrency: Requests under way at most; more wait for one of them to end.
        busy_waits_s: Seconds to wait after busy answers in a row that name no time.

    Raises:
        ConfigError: A file cannot be used.
    """

    def __init__(
        self,
        base: str,
        *,
        key_file: Path | None,
        ca_file: Path | None,
        timeout_s: float,
        concurrency: int,
        busy_waits_s: Sequence[float] = BUSY_WAITS_S,
    ) -> None:
        self.place = httpx.URL(base).netloc.decode("ascii", "replace")
        self._slots = threading.BoundedSemaphore(concurrency)
        self._base = base
        self._timeout_s = timeout_s
        self._breaker = CircuitBreaker(busy_waits_s)
        self._client = httpx.Client(
            headers={} if key_file is None else {"Authorization": f"Bearer {_read_key(key_file)}"},
            verify=_load_authorities(ca_file),
            timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s)),
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            follow_redirects=False,
        )
        weakref.finalize(self, self._client.close)  # judges live as long as the program does

    def post(self, path: str, body: Mapping[str, object]) -> object:
        """The answer to a request, as parsed from JSON.

        Args:
            path: Appended to the base.
            body: The request's JSON.

        Raises:
            JudgeUnavailableError: No answer now: unreachable, too slow, busy, broken, or the
                key is refused.
            JudgeAnswerError: The server does not understand the request, or its answer is not
                JSON or too long.
        """
        with self._take_slot():
            self._breaker.check_allowed()
            with self._report_outcome():
                return self._send(path, json.dumps(body).encode())

    @contextmanager
    def _take_slot(self) -> Iterator[None]:
        """Wait for one of the concurrent requests' slots, and hold it.

        Raises:
            JudgeUnavailableError: None was free within the timeout.
        """
        if not self._slots.acquire(timeout=self._timeout_s):
            raise JudgeUnavailableError("too many requests are under way")
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def _report_outcome(self) -> Iterator[None]:
        """Map the library's errors, and record the outcome in the breaker."""
        try:
            yield
        except JudgeAnswerError:
            self._breaker.record_success()  # it is there, whatever it says
            raise
        except JudgeUnavailableError as error:
            self._breaker.record_failure(str(error))
            raise
        except _BusyError as error:
            self._breaker.record_busy(str(error), error.retry_after_s)
            raise JudgeUnavailableError(str(error)) from None
        except httpx.TimeoutException:
            raise self._record_failure(f"no answer in {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self._record_failure(_describe_error(error)) from None
        else:
            self._breaker.record_success()

    def _record_failure(self, reason: str) -> JudgeUnavailableError:
        error = JudgeUnavailableError(f"{self.place}: {reason}")
        self._breaker.record_failure(str(error))
        return error

    def _send(self, path: str, content: bytes) -> object:
        deadline = time.monotonic() + self._timeout_s
        kind = {"Content-Type": "application/json"}
        with self._client.stream(
            "POST", self._base + path, content=content, headers=kind
        ) as response:
            self._check_status(response)
            data = bytearray()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MAX_ANSWER_BYTES:
                    raise JudgeAnswerError(
                        f"{self.place}: an answer of over {MAX_ANSWER_BYTES} bytes"
                    )
                if time.monotonic() > deadline:  # a byte now and then is no answer
                    raise JudgeUnavailableError(
                        f"{self.place}: no whole answer in {self._timeout_s:g} s"
                    )
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise JudgeAnswerError(f"{self.place}: its answer is not JSON") from None

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.OK:
            return
        if status in _BUSY:
            wait_s = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            raise _BusyError(f"{self.place}: busy ({status})", wait_s)
        if status in _KEY_REFUSED:
            raise JudgeUnavailableError(f"{self.place}: {status}: check api_key_file")
        if httpx.codes.is_client_error(status):
            raise JudgeAnswerError(f"{self.place}: {status}: check url and model")
        raise JudgeUnavailableError(f"{self.place}: status {status}")


class _BusyError(Exception):
    """The server asks for fewer requests. Never leaves this file."""

    def __init__(self, reason: str, retry_after_s: float | None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def _read_key(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; put the API key there") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not text; put the API key there") from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{path}: not an API key; put it there in one line")
    return key


def _load_authorities(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca_file}: no certificate authorities; name a PEM file") from error


def _describe_error(error: Exception) -> str:
    """A library's message as part of one line, without addresses, which may hold secrets."""
    cause = error.__cause__ or error
    return f"{type(error).__name__}: {' '.join(str(cause).split())[:120]}".rstrip(": ")
