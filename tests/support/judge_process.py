"""The judge's server as a process that a test starts, commands and ends."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from monitor.domain import HeadCrop, Verdict
from monitor.errors import JudgeUnavailableError
from monitor.judge import Judge

ROOT = Path(__file__).parents[2]
_REST_S = 30.0  # in which a server that failed is asked again for sure
_START_S = 150.0  # a model's libraries take long to load on a busy machine


class JudgeProcess:
    """``tests.support.judge_server`` within the block.

    Args:
        folder: For its port file.
        engine: ``blue``, or a model's folder.
    """

    def __init__(self, folder: Path, engine: str = "blue") -> None:
        self._file = folder / "judge-port"
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, on the port it had before if it had one."""
        self._file.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "tests.support.judge_server",
            self._engine,
            str(self._file),
        ]
        self._process = subprocess.Popen(  # noqa: S603  (our own program)
            command + ([str(self.port)] if self.port else []),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        deadline = time.monotonic() + _START_S
        while not (self._file.exists() and self._file.read_text(encoding="ascii")):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the judge's server does not start")
            time.sleep(0.02)
        self.port = int(self._file.read_text(encoding="ascii"))

    def stop(self) -> None:
        """End it, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def base(self) -> str:
        """The address of its OpenAI-compatible API."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def hosted(self) -> str:
        """The hosted contract's address."""
        return f"{self.base}/face-occlusion"

    def mode(self, mode: str, seconds: float = 0.0, text: str = "") -> Mapping[str, object]:
        """Make it behave so from now on; what happened before."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/mode",
            json.dumps({"mode": mode, "seconds": seconds, "text": text}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (loopback)
            told: Mapping[str, object] = json.load(answer)
        return told


def eventually(judge: Judge, crop: HeadCrop) -> list[Verdict]:
    """The first verdicts that come, with time for the server's rest to pass."""
    deadline = time.monotonic() + _REST_S
    while True:
        try:
            return judge.judge([crop])
        except JudgeUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
