"""Commands over MQTT."""

import logging
from typing import Protocol

from pydantic import ValidationError

from monitor.domain import CameraId
from monitor.errors import CommandError, PublishError
from monitor.publish import Broker
from monitor.publish.contract.models import COMMAND_BYTES, AnswerV1, CommandV1
from monitor.publish.contract.payload import command_topic, encode_model, format_time
from monitor.publish.mqtt.command_queue import CommandQueue, Request
from monitor.publish.retained.announcements import RetainedAnnouncements
from monitor.runtime.clock import Clock
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

POLL_S = 0.2  # how late a stop or a reconnect may be noticed
PAUSE_S = 1.0  # between tries of telling a broker that goes away meanwhile
_TOPIC_CHARS = 256  # of a response topic; longer ones are not answered
_OURS = ("monitor/", "homeassistant/", "$")  # no stranger's word lets us publish there


class CommandExecutor(Protocol):
    """What can be done with a camera. Thread-safe."""

    def carry_out(self, command: str, camera: CameraId) -> None:
        """Do it.

        Raises:
            CommandError: It cannot be done; one line that says why.
        """


class CommandResponder(Broker, Protocol):
    """A Broker through which commands are answered."""

    def publish_response(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish an answer, with what the asker knows it by. Raises as ``publish``."""


class CommandHandler:
    """Carries out commands, one after the other, and announces what there is.

    ``run`` belongs to one thread. What comes in is data: it is bounded, checked against a
    model, and picks one of three commands; it chooses no topic among ours.

    Args:
        commands: Where requests come from.
        publisher: Where answers go.
        executor: Carries the commands out.
        announcements: What is announced after every connect, and when ``birth`` is asked for.
        site: The name in the topics.
        clock: The time in the answers.
    """

    def __init__(
        self,
        commands: CommandQueue,
        publisher: CommandResponder,
        executor: CommandExecutor,
        announcements: RetainedAnnouncements,
        *,
        site: str,
        clock: Clock,
    ) -> None:
        self._commands = commands
        self._publisher = publisher
        self._executor = executor
        self._announcements = announcements
        self._site = site
        self._clock = clock
        self._told = 0  # the connection on which everything was announced

    def run(self, stop: Stop) -> None:
        """Serve until stop is requested."""
        while not stop.requested:
            request = self._commands.take(POLL_S)
            if request is not None:
                self._serve(request)
            if self._publisher.connected and self._publisher.connections != self._told:
                self._announce(stop)

    def _announce(self, stop: Stop) -> None:
        connections = self._publisher.connections
        try:
            self._announcements.announce()
            self._announcements.tidy()
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
        elif not _may_answer_to(topic, self._announcements.prefixes):
            log.warning("%s: not answered: its response topic is not allowed", request.topic)
            return
        try:
            self._publisher.publish_response(topic, encode_model(answer), request.correlation)
        except PublishError as error:
            log.warning("%s: not answered: %s", request.topic, error)

    def _answer(self, camera: str, payload: bytes) -> AnswerV1:
        command: CommandV1 | None = None
        try:
            command = parsed(payload)
            self._executor.carry_out(command.command, CameraId(camera))
            error = None
        except CommandError as failure:
            error = str(failure)
        return AnswerV1(
            camera=camera,
            command=None if command is None else command.command,
            id=None if command is None else command.id,
            ok=error is None,
            error=error,
            at=format_time(self._clock.now()),
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
