"""A real mosquitto for tests: started, stopped, killed and frozen at will."""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from uuid import uuid4

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.ports import HOST, free_port, reachable
from tests.support.waiting import DEADLINE_S, until

_DURABLE = ["persistence true", "autosave_on_changes true", "autosave_interval 1"]


class Mosquitto:
    """A broker on one loopback port.

    Args:
        folder: For its files.
        port: Where it listens; a free one if not given.
        durable: Sessions and retained messages outlive it; else it forgets everything.
        settings: Further lines of mosquitto.conf.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, durable: bool = False, settings: Sequence[str] = ()
    ) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._durable = durable
        self._settings = list(settings)
        self._anonymous = True
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def require(self, passwords: Mapping[str, str]) -> None:
        """From the next start on, let in these users only."""
        listed = self._folder / "passwords"
        listed.write_text("".join(f"{name}:{word}\n" for name, word in passwords.items()))
        subprocess.run([program("mosquitto_passwd"), "-U", listed], check=True)  # noqa: S603
        self._anonymous = False
        line = f"password_file {listed}"
        self._settings = [s for s in self._settings if s != line] + [line]

    def admit_anybody(self) -> None:
        """From the next start or ``reload`` on, let in also who gives no name."""
        self._anonymous = True
        self._write()

    def allow(self, *rights: str) -> None:
        """From the next start or ``reload`` on, grant only these: "topic write monitor/#"."""
        listed = self._folder / "rights"
        listed.write_text("".join(f"{right}\n" for right in rights))
        line = f"acl_file {listed}"
        self._settings = [s for s in self._settings if s != line] + [line]

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        config = self._write()
        self._process = subprocess.Popen(  # noqa: S603  (our own arguments)
            [program("mosquitto"), "-c", config], stderr=subprocess.DEVNULL
        )
        until(self._reachable, "mosquitto to start")

    def _write(self) -> Path:
        """Its configuration file."""
        config = self._folder / f"mosquitto-{self.port}.conf"
        lines = [
            f"listener {self.port} {HOST}",
            f"allow_anonymous {'true' if self._anonymous else 'false'}",
            f"user {getpass.getuser()}",  # else root's files could not be read
            *(_DURABLE if self._durable else ["persistence false"]),
            f"persistence_location {self._folder}/",
            *self._settings,
        ]
        config.write_text("\n".join(lines) + "\n")
        return config

    def stop(self) -> None:
        """End it with SIGTERM, if it runs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL: nothing is flushed, no client is told."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Read users and rights again; connections stay."""
        self._signal(signal.SIGHUP)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block it keeps its connections but says nothing."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            if self._process is not None:
                self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "mosquitto does not run"
        os.kill(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(DEADLINE_S)
            self._process = None

    def _reachable(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto ended at once"
        return reachable(self.port)


def program(name: str) -> str:
    """The path of a program of mosquitto's; its broker is often outside of $PATH."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found is not None, f"{name} is not installed (Debian: mosquitto, mosquitto-clients)"
    return found


class Witness:
    """An independent MQTT 5 subscriber that writes down everything, repetitions too.

    It keeps its session across reconnects, and reconnects quickly, so that what the broker
    took is never missed for want of listening.
    """

    def __init__(self, port: int, *filters: str, user: tuple[str, str] | None = None) -> None:
        self.messages: list[MQTTMessage] = []
        self._filters = [(topic, 1) for topic in filters or ("monitor/#",)]
        self._subscribed = threading.Event()
        self._port = port
        self._client = Client(
            CallbackAPIVersion.VERSION2, f"witness-{uuid4()}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        if user is not None:
            self._client.username_pw_set(*user)
        self._client.on_connect = lambda client, *_: client.subscribe(self._filters)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)

    def __enter__(self) -> Self:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 600
        self._client.connect(HOST, self._port, clean_start=False, properties=session)
        self._client.loop_start()
        assert self._subscribed.wait(DEADLINE_S), "the witness cannot subscribe"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @contextmanager
    def across_a_loss(self) -> Iterator[None]:
        """The block makes the broker go and come back; wait until this listens again."""
        self._subscribed.clear()
        yield
        assert self._subscribed.wait(DEADLINE_S), "the witness does not come back"

    def payloads(self, topic: str) -> list[bytes]:
        """What arrived on one topic, in order."""
        return [bytes(m.payload) for m in list(self.messages) if m.topic == topic]

    def keys(self) -> list[tuple[str, int]]:
        """(id, seq) of every alert, in order of arrival, repetitions included."""
        bodies = [json.loads(m.payload) for m in list(self.messages) if m.topic.endswith("/alert")]
        return [(body["id"], body["seq"]) for body in bodies]


class Mqtt311Proxy:
    """A port in front of a broker that lets only MQTT 3.1.1 through.

    Args:
        port: Of the real broker.
        polite: Refuse other versions as the standard says; else never answer them.
    """

    def __init__(self, port: int, *, polite: bool) -> None:
        self._behind = port
        self._polite = polite
        self._server = socket.create_server((HOST, 0))
        self._open: list[socket.socket] = []
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for channel in [self._server, *self._open]:
            with suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
            channel.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                channel, _ = self._server.accept()
                self._open.append(channel)
                head = channel.recv(65536)  # a CONNECT fits; its version follows "MQTT"
                if head[head.index(b"MQTT") + 4] == MQTTProtocolVersion.MQTTv311:
                    behind = socket.create_connection((HOST, self._behind))
                    self._open.append(behind)
                    behind.sendall(head)
                    for pair in ((channel, behind), (behind, channel)):
                        threading.Thread(target=_pump, args=pair, daemon=True).start()
                elif self._polite:
                    channel.sendall(b"\x20\x02\x00\x01")  # CONNACK, unacceptable version
                    channel.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
