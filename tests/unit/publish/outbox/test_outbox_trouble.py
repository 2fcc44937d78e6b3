"""What the outbox says and keeps when its file or its disk fails."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from monitor.errors import OutboxError
from monitor.publish.outbox.outbox import Outbox, OutboxMessage

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def message(n: int, payload: bytes = b"{}") -> OutboxMessage:
    return OutboxMessage(UUID(int=n), 1, "monitor/v1/s/yard/alert", payload, NOON)


def fill(outbox: Outbox, payload: bytes = b"x" * 2000) -> int:
    """Add until the disk refuses. How many messages went in."""

    def add_on() -> None:
        for n in range(10_000):
            outbox.add(message(n, payload))

    with pytest.raises(OutboxError, match="free disk space"):
        add_on()
    return len(outbox)


def test_a_full_outbox_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox", max_bytes=100_000) as outbox:
        kept = fill(outbox)
        assert kept > 10
        assert [m.id.int for m in outbox] == list(range(kept))


def test_a_full_outbox_takes_messages_again_once_some_are_sent(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox", max_bytes=100_000) as outbox:
        fill(outbox)
        for _ in range(5):
            oldest = outbox.read_oldest()
            assert oldest is not None
            outbox.remove(oldest)
        outbox.add(message(99_999))
        assert [m.id.int for m in outbox][-1] == 99_999


def test_the_limit_is_kept_to(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox", max_bytes=100_000) as outbox:
        fill(outbox)
    assert (tmp_path / "outbox").stat().st_size <= 100_000


def test_a_full_outbox_can_be_opened_again(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox", max_bytes=100_000) as outbox:
        kept = fill(outbox)
    with Outbox(tmp_path / "outbox", max_bytes=100_000) as outbox:
        assert len(outbox) == kept


FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from monitor.errors import OutboxError
from monitor.publish.outbox.outbox import OutboxMessage, Outbox

def message(n):
    return OutboxMessage(UUID(int=n), 1, "t", b"x" * 2000, datetime(2024, 5, 1, tzinfo=UTC))

with Outbox(Path(sys.argv[1])) as outbox:
    for n in range(20):
        outbox.add(message(n))
    # No file of this process may grow beyond this any more: as on a disk that is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY))
    added, refused = 20, ""
    try:
        for added in range(20, 10_000):
            outbox.add(message(added))
    except OutboxError as error:
        refused = str(error)
    assert refused, "it never refused"
    assert len(outbox) == added, "something was lost or half stored"
    assert outbox.read_oldest().id.int == 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    outbox.add(message(added))
    assert len(outbox) == added + 1, "space came back but was not used"
    print(added + 1)
    print(refused)
"""


def test_a_full_disk_loses_nothing_and_is_used_again_when_there_is_space(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    done = subprocess.run(  # noqa: S603  (our own code)
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    count, refused = done.stdout.splitlines()
    assert refused.startswith(f"{path}: ")
    assert "free disk space" in refused
    with Outbox(path) as outbox:
        assert [m.id.int for m in outbox] == list(range(int(count)))


def test_a_damaged_file_is_named_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OutboxError, match="move the file away") as caught:
        Outbox(path)
    assert_one_line_about(path, caught.value)
    assert path.read_bytes().startswith(b"not a database"), "a foreign file is not overwritten"


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(OutboxError, match="another version") as caught:
        Outbox(path)
    assert_one_line_about(path, caught.value)


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="unable to open") as caught:
        Outbox(tmp_path)
    assert_one_line_about(tmp_path, caught.value)


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "outbox"
    with pytest.raises(OutboxError, match="configure another outbox") as caught:
        Outbox(path)
    assert_one_line_about(path, caught.value)


def test_a_place_that_takes_no_files_is_named() -> None:
    """/proc refuses new files even to root."""
    path = Path("/proc/outbox.sqlite")
    with pytest.raises(OutboxError, match="write to this folder") as caught:
        Outbox(path)
    assert_one_line_about(path, caught.value)


def test_a_file_that_somebody_keeps_locked_is_named(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    with Outbox(path, busy_timeout_s=0.1) as outbox:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxError, match="end the other program") as caught:
            outbox.add(message(1))
        assert_one_line_about(path, caught.value)
        other.close()
        outbox.add(message(1))
        assert len(outbox) == 1


def assert_one_line_about(path: Path, error: OutboxError) -> None:
    assert str(error).startswith(f"{path}: ")
    assert "\n" not in str(error)
