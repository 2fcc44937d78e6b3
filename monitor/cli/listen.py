"""``monitor listen``: a subscriber that prints what arrives."""

import json
import queue
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.text import Text

from monitor.cli.errors import OK
from monitor.config.schema import Mqtt, Tls
from monitor.config.section import Name
from monitor.domain import Severity
from monitor.errors import ConfigError
from monitor.runtime import logs

if TYPE_CHECKING:
    from monitor.publish.mqtt.subscriber import Received

_NAME = TypeAdapter(Name)
_ORDER = tuple(Severity)
_STYLES = {"critical": "bold red", "alert": "red", "note": "yellow"}


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints messages. Their content is untrusted: every client may publish.

    Args:
        console: Where readable lines go.
        as_json: Print payloads instead.
        at_least: Alerts below this severity are skipped.
        folder: Where snapshots are saved; None saves none.
    """

    console: Console
    as_json: bool
    at_least: Severity
    folder: Path | None

    def show(self, message: "Received") -> bool:
        """Print one message. True if it was an alert that is severe enough.

        Raises:
            ConfigError: A snapshot cannot be written.
        """
        _, _, site, camera, kind = message.topic.split("/")
        if kind == "snapshot":
            self._save_snapshot(f"{site}-{camera}", message)
            return False
        try:
            body = json.loads(message.payload)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            self._print_line(Text(f"{message.topic}: not a message of ours", "dim"))
            return False
        if kind == "alert" and not self._is_severe_enough(body):
            return False
        if self.as_json:
            print(json.dumps(body, sort_keys=True), flush=True)
        else:
            self._print_line(_format_alert(body) if kind == "alert" else _format_state(body))
        return kind == "alert"

    def _is_severe_enough(self, body: dict[str, object]) -> bool:
        """Whether an alert is severe enough. Severities of later versions always are."""
        severity = str(body.get("severity"))
        return severity not in _ORDER or _ORDER.index(Severity(severity)) >= _ORDER.index(
            self.at_least
        )

    def _save_snapshot(self, name: str, message: "Received") -> None:
        if self.folder is None:
            return
        plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        path = self.folder / f"{plain}-{message.arrived_at:%Y%m%dT%H%M%S%f}.jpg"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(message.payload)
        except OSError as error:
            raise ConfigError(f"--save {path}: {error.strerror}") from error
        self._print_line(Text(f"{len(message.payload)} bytes -> {path}", "dim"))

    def _print_line(self, text: Text) -> None:
        if self.as_json:
            return
        text.plain = "".join(
            c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.plain
        )
        self.console.print(text, soft_wrap=True, highlight=False)


def _format_alert(body: dict[str, object]) -> Text:
    """Time, place, covering, probability and subject; then the judge's sentence."""
    severity = str(body.get("severity"))
    late = ", late" if body.get("late") is True else ""
    zone = f" ({body['zone']})" if body.get("zone") else ""
    probability = body.get("probability")
    known = isinstance(probability, int | float) and 0 <= probability <= 1
    sure = f"{probability:.2f}" if known else "?"
    return Text.assemble(
        (_format_time(body.get("raised_at")), "dim"),
        "  ",
        (f"{severity:<8} {body.get('state')}", _STYLES.get(severity, "")),
        f"  {body.get('site')}/{body.get('camera')}{zone}  ",
        (str(body.get("covering")), "bold"),
        f" {sure}{late}  subject {body.get('subject')}",
        (f"  {body.get('thinking') or ''}", "italic"),
    )


def _format_state(body: dict[str, object]) -> Text:
    last = _format_time(body.get("last_frame"))
    return Text(
        f"{last}  {body.get('camera')}: {body.get('state')}, {body.get('fps')} frames/s, "
        f"{body.get('subjects')} subjects",
        "dim",
    )


def _format_time(stamp: object) -> str:
    """Local time of day; dashes if it is not a time."""
    try:
        return f"{datetime.fromisoformat(str(stamp)).astimezone():%H:%M:%S}"
    except (ValueError, OverflowError):
        return "--:--:--"


def listen(  # noqa: PLR0913  (one argument for each option)
    *,
    host: Annotated[str, typer.Option(help="The broker.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.", min=1, max=65535)] = 1883,
    username: Annotated[str | None, typer.Option(help="The user name.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="A file with the password.")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Connect with TLS, trusting the authorities in this file.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="Only this camera; repeat for more.")
    ] = None,
    severity: Annotated[
        Severity, typer.Option(help="Alerts of this severity and above.")
    ] = Severity.IGNORE,
    states: Annotated[
        bool, typer.Option("--states", help="Print the cameras' states too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print payloads as JSON lines.")] = False,
    count: Annotated[
        int | None, typer.Option(help="End after this many alert messages.", min=1)
    ] = None,
    save: Annotated[Path | None, typer.Option(help="A folder for the snapshots.")] = None,
) -> int:
    """Print alerts as they arrive, one line each, until Ctrl-C."""
    from monitor.publish.mqtt.subscriber import Subscriber  # noqa: PLC0415  (--help needs no paho)

    logs.start("warning")
    settings = Mqtt(
        host=host,
        port=port,
        username=username,
        password_file=password_file,
        tls=None if ca_file is None else Tls(ca_file=ca_file),
    )
    cameras = [_check_name("--camera", name) for name in camera or []]
    kinds = ["alert", *(["state"] if states else []), *(["snapshot"] if save else [])]
    arrived: queue.SimpleQueue[Received] = queue.SimpleQueue()
    subscriber = Subscriber(
        settings,
        arrived.put,
        site="+" if site is None else _check_name("--site", site),
        cameras=cameras,
        kinds=kinds,
    )
    printer = Printer(Console(), as_json, severity, save)
    try:
        with subscriber:
            while count is None or count > 0:
                if printer.show(arrived.get()) and count is not None:
                    count -= 1
    except KeyboardInterrupt:
        return OK  # the usual end
    return OK


def _check_name(option: str, name: str) -> str:
    """The name, if it can stand in a topic: no wildcard, no slash."""
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        raise ConfigError(f"{option}: only letters, digits, _ and -, got {name!r}") from None
