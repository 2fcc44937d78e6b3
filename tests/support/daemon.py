"""``monitor run`` as a real process, and what a subscriber hears of it."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from monitor.config.schema import Config

DAEMON_S = 60.0  # for what a whole daemon is to do, on a busy machine


class Daemon:
    """One ``monitor run``. Its log goes to a file beside the configuration."""

    def __init__(self, folder: Path, settings: dict[str, object]) -> None:
        self.folder = folder
        self.outbox = folder / "outbox.sqlite"
        self.evidence = folder / "evidence"
        paths = {"outbox": str(self.outbox), "evidence": str(self.evidence)}
        self._config = folder / "monitor.yaml"
        self._config.write_text(yaml.safe_dump(paths | settings), encoding="utf-8")
        self._log = folder / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def start(self) -> None:
        command = [sys.executable, "-m", "monitor", "run", str(self._config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)  # noqa: S603

    def kill(self) -> None:
        """SIGKILL: the power is gone."""
        self._running().kill()
        self._running().wait()

    def terminate(self) -> int:
        """SIGTERM, as systemd does; the exit status."""
        self._running().terminate()
        return self._running().wait(15)

    def wait(self, limit_s: float) -> int:
        """Let it end by itself; the exit status."""
        return self._running().wait(limit_s)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def waiting(self) -> int:
        """Messages in the outbox."""
        if not self.outbox.exists():
            return 0
        with sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True) as db:
            try:
                (count,) = db.execute("SELECT count(*) FROM message").fetchone()
            except sqlite3.OperationalError:  # not made yet
                return 0
        return int(count)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process


class Listener:
    """An independent subscriber with a session that the broker keeps."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[float, str, bytes, bool]] = []
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, "listener", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("monitor/#", qos=1)
        self._client.on_message = self._keep
        self._port = port

    def __enter__(self) -> Self:
        self._client.connect_async("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def alerts(self) -> list[dict[str, object]]:
        return [json.loads(payload) for _, topic, payload, _ in self._all() if "/alert" in topic]

    def raised(self) -> list[str]:
        """The ids of raised alerts, in the order of arrival, repetitions included."""
        return [str(alert["id"]) for alert in self.alerts() if alert["state"] == "raised"]

    def states(self, camera: str) -> list[tuple[float, str]]:
        """When each state of a camera arrived (monotonic seconds), and which."""
        return [
            (at, json.loads(payload)["state"])
            for at, topic, payload, _ in self._all()
            if topic.endswith(f"/{camera}/state")
        ]

    def last(self, ending: str) -> bytes | None:
        """The latest payload on a topic with this ending."""
        found = [payload for _, topic, payload, _ in self._all() if topic.endswith(ending)]
        return found[-1] if found else None

    def _all(self) -> list[tuple[float, str, bytes, bool]]:
        with self._lock:
            return list(self.messages)

    def _keep(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self._lock:
            entry = (time.monotonic(), message.topic, bytes(message.payload), message.retain)
            self.messages.append(entry)


def site_config(folder: Path, port: int, source: dict[str, object]) -> Config:
    """One camera, ``yard`` of ``site``, with everything it writes in this folder."""
    return Config.model_validate(
        {
            "site": "site",
            "cameras": {"yard": {"source": source}},
            "mqtt": {"port": port, "home_assistant": True},
            "outbox": folder / "outbox",
            "evidence": folder / "evidence",
        }
    )
