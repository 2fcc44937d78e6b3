"""``monitor outbox``: lists, sends or exports the messages that wait for the broker."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.errors import OK
from monitor.config import load_config
from monitor.errors import OutboxError, OutputError
from monitor.publish.outbox.outbox import Outbox, OutboxMessage, read_salvageable_messages

ConfigFile = Annotated[Path, typer.Argument(help="The daemon's configuration.")]
From = Annotated[
    Path | None,
    typer.Option("--from", help="Another outbox file, such as a damaged one that was set aside."),
]


def list_(
    config: ConfigFile,
    *,
    source: From = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> int:
    """List the waiting messages, oldest first. The daemon may run meanwhile."""
    messages = _read_messages(config, source)
    if as_json:
        for message in messages:
            print(json.dumps(_describe(message), sort_keys=True))
        return OK
    table = Table("since", "alert", "seq", "camera", "state", "severity", "bytes")
    for message in messages:
        facts, body = _describe(message), _parse_body(message)
        table.add_row(
            str(facts["created_at"]),
            *(Text(str(facts[key])) for key in ("id", "seq")),
            *(Text(str(body.get(key, "?"))) for key in ("camera", "state", "severity")),
            str(len(message.payload)),
        )
    console = Console()
    if messages:
        console.print(table)
    console.print(f"{len(messages)} messages wait for the broker")
    return OK


def resend(config: ConfigFile, *, source: From = None) -> int:
    """Send the waiting messages in order, and remove those that the broker confirms.

    Subscribers recognise repetitions by id and seq, so the daemon may run meanwhile.
    """
    from monitor.publish.mqtt.probe import deliver_messages  # noqa: PLC0415  (list needs no paho)

    settings = load_config(config)
    messages = _read_messages(config, source)
    count = 0
    for message in deliver_messages(settings.mqtt, messages) if messages else []:
        count += 1
        if source is None:
            with Outbox(settings.outbox) as outbox:
                outbox.remove(message)
    print(f"{count} messages sent and confirmed")
    return OK


def export(
    config: ConfigFile,
    *,
    source: From = None,
    out: Annotated[Path | None, typer.Option(help="A file; unset prints them.")] = None,
) -> int:
    """Write the waiting messages as JSON lines: topic, id, seq, created_at, payload."""
    lines = [
        json.dumps(_describe(message) | {"payload": _to_json(message)}, sort_keys=True)
        for message in _read_messages(config, source)
    ]
    if out is None:
        for line in lines:
            print(line)
        return OK
    try:
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"--out {out}: {error.strerror}") from error
    print(f"{len(lines)} messages -> {out}")
    return OK


def _read_messages(config: Path, source: Path | None) -> list[OutboxMessage]:
    """The messages of the configured outbox, or of another file as far as it can be read."""
    path = source or load_config(config).outbox
    if not path.is_file():
        raise OutboxError(f"{path}: no such file; has the daemon run?")
    if source is not None:
        return read_salvageable_messages(source)
    with Outbox(path) as outbox:
        return list(outbox)


def _describe(message: OutboxMessage) -> dict[str, object]:
    return {
        "id": str(message.id),
        "seq": message.seq,
        "topic": message.topic,
        "created_at": message.created_at.isoformat(timespec="seconds"),
        "expendable": message.expendable,
        "bytes": len(message.payload),
    }


def _parse_body(message: OutboxMessage) -> dict[str, object]:
    """The payload's JSON object; empty if it is not one."""
    try:
        body = json.loads(message.payload)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _to_json(message: OutboxMessage) -> object:
    """The payload as JSON; base64 if it is not JSON."""
    return _parse_body(message) or base64.b64encode(message.payload).decode()
