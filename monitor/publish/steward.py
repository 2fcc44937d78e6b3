"""Commands over MQTT, and telling the broker's other guests what there is here."""

import logging
from collections.abc import Collection, Mapping
from typing import Protocol

from pydantic import ValidationError

from monitor.domain import CameraId
from monitor.errors import BrokerUnavailableError, CommandError, PublishError
from monitor.publish import Broker
from monitor.publish.inbox import Inbox, Request
from monitor.publish.models import COMMAND_BYTES, AnswerV1, CommandV1
from monitor.publish.outbox_notes import Notes
from monitor.publish.payload import command_topic, encoded, iso
from monitor.runtime.clock import Clock
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

POLL_S = 0.2  # how late a stop or a reconnect may be noticed
PAUSE_S = 1.0  # between tries of telling a broker that goes away meanwhile
_TOPIC_CHARS = 256  # of a response topic; longer ones are not answered
_OURS = ("monitor/", "homeassistant/", "$")  # no stranger's word lets us publish there


class Controls(Protocol):
    """What can be done with a camera. Thread-safe."""

    def carry_out(self, command: str, camera: CameraId) -> None:
        """Do it.

        Raises:
            CommandError: It cannot be done; one line that says why.
        """


class Answering(Broker, Protocol):
    """A Broker through which commands are answered."""

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish an answer, with what the asker knows it by. Raises as ``publish``."""


class Guestbook:
    """What the broker keeps of ours, and taking back what nobody needs any more.

    Args:
        publisher: Who takes the messages.
        notes: Remembers the topics across restarts.
        shown: What is announced: retained topics and payloads.
        kept: Further topics that others of us keep something on.
    """

    def __init__(
        self,
        publisher: Broker,
        notes: Notes,
        shown: Mapping[str, bytes],
        kept: Collection[str],
    ) -> None:
        self._publisher = publisher
        self._notes = notes
        self._shown = shown
        self._kept = {*shown, *kept}

    def tidy(self) -> None:
        """Take back what was kept for cameras that are no longer configured.

        Raises:
            PublishError: The broker or the disk would not have it; try again.
        """
        self._notes.note_retained(self._kept)
        for topic in sorted(self._notes.retained() - self._kept):
            if self._tell(topic, b""):
                self._notes.forget_retained(topic)
                log.info("%s: taken back", topic)

    def announce(self) -> None:
        """Publish all that is announced.

        Raises:
            BrokerUnavailableError: The broker went away; try again.
        """
        for topic, payload in self._shown.items():
            self._tell(topic, payload)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What topics of ours begin with."""
        return tuple({topic.partition("/")[0] + "/" for topic in self._kept})

    def _tell(self, topic: str, payload: bytes) -> bool:
        """Whether the broker has it. One topic that it refuses does not keep back the others."""
        try:
            self._publisher.publish(topic, payload, retain=True)
        except BrokerUnavailableError:
            raise
        except PublishError as error:
            log.warning("%s: not announced: %s", topic, error)
            return False
        return True


class Steward:
    """Carries out commands, one after the other, and announces what there is.

    ``run`` belongs to one thread. What comes in is data: it is bounded, checked against a
    model, and picks one of three commands; it chooses no topic among ours.

    Args:
        inbox: Where requests come from.
        publisher: Where answers go.
        controls: Carries the commands out.
        guestbook: What is announced after every connect, and when ``birth`` is asked for.
        site: The name in the topics.
        clock: The time in the answers.
    """

    def __init__(
        self,
        inbox: Inbox,
        publisher: Answering,
        controls: Controls,
        guestbook: Guestbook,
        *,
        site: str,
        clock: Clock,
    ) -> None:
        self._inbox = inbox
        self._publisher = publisher
        self._controls = controls
        self._guestbook = guestbook
        self._site = site
        self._clock = clock
        self._told = 0  # the connection on which everything was announced

    def run(self, stop: Stop) -> None:
        """Serve until stop is requested."""
        while not stop.requested:
            request = self._inbox.take(POLL_S)
            if request is not None:
                self._serve(request)
            if self._publisher.connected and self._publisher.connections != self._told:
                self._announce(stop)

    def _announce(self, stop: Stop) -> None:
        connections = self._publisher.connections
        try:
            self._guestbook.announce()
            self._guestbook.tidy()
        except PublishError as error:
            log.warning("announcing what there is: %s", error)
            if error.retryable:
                stop.wait(PAUSE_S)
                return
        self._told = connections

    def _serve(self, request: Request) -> None:
        if not request.topic.endswith("/command"):
            if request.payload == b"online":  # another program has come up and knows nothing
                self._told = 0
            return
        if request.retained:
            log.warning("%s: ignored: a command must not be retained", request.topic)
            return
        camera = request.topic.split("/")[-2]
        answer = self._answer(camera, request.payload)
        log.info("%s: %s: %s", request.topic, answer.command, answer.error or "done")
        topic = request.response_topic
        if topic is None:
            topic = command_topic(self._site, camera) + "/response"
        elif not _may_answer_to(topic, self._guestbook.prefixes):
            log.warning("%s: not answered: its response topic is not allowed", request.topic)
            return
        try:
            self._publisher.answer(topic, encoded(answer), request.correlation)
        except PublishError as error:
            log.warning("%s: not answered: %s", request.topic, error)

    def _answer(self, camera: str, payload: bytes) -> AnswerV1:
        command: CommandV1 | None = None
        try:
            command = parsed(payload)
            self._controls.carry_out(command.command, CameraId(camera))
            error = None
        except CommandError as failure:
            error = str(failure)
        return AnswerV1(
            camera=camera,
            command=None if command is None else command.command,
            id=None if command is None else command.id,
            ok=error is None,
            error=error,
            at=iso(self._clock.now()),
        )


def parsed(payload: bytes) -> CommandV1:
    """What a stranger asks for.

    Raises:
        CommandError: It is no command; the text does not repeat what was sent.
    """
    if len(payload) > COMMAND_BYTES:
        raise CommandError(f"longer than {COMMAND_BYTES} bytes")
    word = payload.strip()
    try:
        if word.startswith(b"{"):
            return CommandV1.model_validate_json(word, strict=True)
        return CommandV1.model_validate({"command": word.decode("ascii").strip('"')})
    except (ValidationError, UnicodeDecodeError):
        raise CommandError("unknown command; there are pause, resume and snapshot") from None


def _may_answer_to(topic: str, ours: tuple[str, ...]) -> bool:
    """A response topic is the asker's own choice, but none of our topics' names."""
    fits = 0 < len(topic) <= _TOPIC_CHARS and not set("+#\0") & set(topic)
    return fits and (topic.endswith("/command/response") or not topic.startswith((*_OURS, *ours)))
