"""Untrusted messages: each is a command or an error, never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import CommandError
from monitor.publish.contract.models import COMMAND_BYTES, CommandV1
from monitor.publish.retained.commands import parse_command


@given(st.binary(max_size=COMMAND_BYTES + 10) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_command_or_an_error_of_ours(payload: bytes) -> None:
    said = outcome(payload)
    assert said in ("pause", "resume", "snapshot") or said.startswith(("unknown", "longer"))
    assert len(said) < 100, "what was sent is not repeated"


def outcome(payload: bytes) -> str:
    try:
        return parse_command(payload).command
    except CommandError as error:
        return str(error)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"pause", CommandV1(command="pause")),
        (b' "resume" ', CommandV1(command="resume")),
        (b'{"command": "snapshot", "id": "7"}', CommandV1(command="snapshot", id="7")),
    ],
)
def test_a_command_is_a_word_or_an_object(payload: bytes, expected: CommandV1) -> None:
    assert parse_command(payload) == expected


def test_a_long_message_is_refused_unread() -> None:
    with pytest.raises(CommandError, match="longer"):
        parse_command(b"pause" + b" " * COMMAND_BYTES)
