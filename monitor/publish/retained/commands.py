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

POLL_S = 0.2  # how late a stop or a reconnect is noticed
PAUSE_S = 1.0  # between attempts to publish the announcements
_TOPIC_CHARS = 256  # of a response topic; to a longer one nothing is published
_OUR_PREFIXES = ("monitor/", "homeassistant/", "$")  # no request lets us publish there


class CommandExecutor(Protocol):
    """Executes commands. Thread-safe."""

    def execute(self, command: str, camera: CameraId) -> None:
        """Execute one command.

        Raises:
            CommandError: It failed; one line that says why.
        """


class CommandResponder(Broker, Protocol):
    """A Broker that publishes responses to commands."""

    def publish_response(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish a response with its request's correlation data. Raises as ``publish``."""


class CommandHandler:
    """Executes commands, one after the other, and publishes the announcements.

    ``run`` belongs to one thread. Requests are untrusted: their size is limited, they are
    checked against a model, and they select one of three commands but none of our topics.

    Args:
        commands: The requests.
        publisher: Publishes the responses.
        executor: Executes the commands.
        announcements: Published after every connect and every birth message.
        site: The site's name in the topics.
        clock: Gives the time in the responses.
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
        self._announced_on = 0  # the connection on which the announcements were published

    def run(self, stop: Stop) -> None:
        """Handle requests until stop is requested."""
        while not stop.requested:
            request = self._commands.take(POLL_S)
            if request is not None:
                self._handle_request(request)
            if self._publisher.connected and self._publisher.connections != self._announced_on:
                self._publish_announcements(stop)

    def _publish_announcements(self, stop: Stop) -> None:
        connections = self._publisher.connections
        try:
            self._announcements.publish_all()
            self._announcements.clear_removed()
        except PublishError as error:
            log.warning("announcements not published: %s", error)
            if error.retryable:
                stop.wait(PAUSE_S)
                return
        self._announced_on = connections

    def _handle_request(self, request: Request) -> None:
        if not request.topic.endswith("/command"):
            if request.payload == b"online":  # Home Assistant has started
                self._announced_on = 0
            return
        if request.retained:
            log.warning("%s: ignored: a command must not be retained", request.topic)
            return
        camera = request.topic.split("/")[-2]
        response = self._execute(camera, request.payload)
        log.info("%s: %s: %s", request.topic, response.command, response.error or "done")
        topic = request.response_topic
        if topic is None:
            topic = command_topic(self._site, camera) + "/response"
        elif not _is_allowed_response_topic(topic, self._announcements.topic_prefixes):
            log.warning("%s: no response: the response topic is not allowed", request.topic)
            return
        try:
            self._publisher.publish_response(topic, encode_model(response), request.correlation)
        except PublishError as error:
            log.warning("%s: no response: %s", request.topic, error)

    def _execute(self, camera: str, payload: bytes) -> AnswerV1:
        command: CommandV1 | None = None
        try:
            command = parse_command(payload)
            self._executor.execute(command.command, CameraId(camera))
            error = None
        except CommandError as command_error:
            error = str(command_error)
        return AnswerV1(
            camera=camera,
            command=None if command is None else command.command,
            id=None if command is None else command.id,
            ok=error is None,
            error=error,
            at=format_time(self._clock.now()),
        )


def parse_command(payload: bytes) -> CommandV1:
    """Parse a command.

    Raises:
        CommandError: It is not a command; the text does not repeat what was sent.
    """
    if len(payload) > COMMAND_BYTES:
        raise CommandError(f"longer than {COMMAND_BYTES} bytes")
    word = payload.strip()
    try:
        if word.startswith(b"{"):
            return CommandV1.model_validate_json(word, strict=True)
        return CommandV1.model_validate({"command": word.decode("ascii").strip('"')})
    except (ValidationError, UnicodeDecodeError):
        raise CommandError("unknown command; use pause, resume or snapshot") from None


def _is_allowed_response_topic(topic: str, our_prefixes: tuple[str, ...]) -> bool:
    """The requester chooses the response topic; it must not be one of ours."""
    fits = 0 < len(topic) <= _TOPIC_CHARS and not set("+#\0") & set(topic)
    is_ours = topic.startswith((*_OUR_PREFIXES, *our_prefixes))
    return fits and (topic.endswith("/command/response") or not is_ours)
