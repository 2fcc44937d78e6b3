"""SIGKILL of a whole daemon, again and again.

    python -m tests.stress.fault_kills [KILLS]

What was raised is written down by the database itself: a trigger in the outbox's file notes
each message in the transaction that stores it. Whatever is in that list must arrive.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import yaml

from monitor.publish.outbox.outbox import Outbox
from tests.stress.fault_bench import HEAD, TIMEOUT_S, Key, Row, carrying, drained, keys
from tests.stress.fault_daemon import SETTINGS
from tests.support.broker import Mosquitto, Witness
from tests.support.clips import write_clip
from tests.support.scenes import draw_scene
from tests.support.waiting import until

AUDIT = """
CREATE TABLE audit (id TEXT, seq INTEGER, UNIQUE (id, seq));
CREATE TRIGGER audited AFTER INSERT ON message
BEGIN INSERT OR IGNORE INTO audit VALUES (new.id, new.seq); END;
"""


class Site:
    """One configured daemon and its outbox, whose file keeps a list of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._config = folder / "monitor.yaml"
        self.outbox = folder / "outbox"
        clip = write_clip(folder / "clip.mp4", [draw_scene()] * 200)
        settings = SETTINGS | {
            "site": "site",
            "cameras": {"yard": {"source": {"kind": "file", "path": str(clip)}}},
            "mqtt": {"port": port},
            "outbox": str(self.outbox),
            "evidence": str(folder / "evidence"),
        }
        self._config.write_text(yaml.safe_dump(settings))
        with Outbox(self.outbox):
            pass
        with closing(sqlite3.connect(self.outbox)) as db:
            db.executescript(AUDIT)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """It runs within the block; SIGKILL ends it, if nothing else has."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  (our own code)
                [sys.executable, "-m", "tests.stress.fault_daemon", str(self._config)], stderr=log
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def raised(self) -> list[Key]:
        """Every message that was ever stored, as the database noted it."""
        with closing(sqlite3.connect(self.outbox, 30)) as db:
            return [(str(id_), int(seq)) for id_, seq in db.execute("SELECT id, seq FROM audit")]

    def waiting(self) -> list[Key]:
        """What is in the outbox."""
        with Outbox(self.outbox, busy_timeout_s=30) as outbox:
            return keys(list(outbox))


def daemon_killed(folder: Path, times: int = 2) -> Row:
    """At a random moment after the first few alerts, or while it starts."""
    rng = random.Random(7)  # noqa: S311  (moments, not secrets)
    before_sending = before_removing = 0
    with Mosquitto(folder, durable=True) as broker, Witness(broker.port) as witness:
        site = Site(folder, broker.port)
        for _ in range(times):
            enough = len(site.raised()) + rng.randrange(1, 9)
            with site.daemon():
                until(lambda enough=enough: len(site.raised()) >= enough, "alerts", TIMEOUT_S)  # type: ignore[misc]
                time.sleep(rng.uniform(0, 0.1))
            time.sleep(0.05)  # what has left is with the witness by now
            left, there = site.waiting(), set(witness.keys())
            before_sending += any(key not in there for key in left)
            before_removing += any(key in there for key in left)
        stopped_politely(site)
        with carrying(folder / "late", broker.port) as nothing_more:
            row = drained("SIGKILL of a whole daemon", site.raised(), witness, nothing_more)
        assert last_states(witness) == {"ended"}, "an alert was left open"
    remark = f"{times} kills: {before_sending} before sending, {before_removing} before removing"
    return Row(
        row.case,
        row.raised,
        row.received,
        row.distinct,
        row.lost,
        row.out_of_order,
        row.drained_s,
        f"{remark}; every alert has ended",
    )


def stopped_politely(site: Site) -> None:
    """A last run, which ends what the kills had left open; then SIGTERM."""
    before = len(site.raised())
    with site.daemon() as process:
        until(lambda: len(site.raised()) > before + 4 and not site.waiting(), "more", TIMEOUT_S)
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0
    assert not site.waiting(), "what was decided at the end was not sent"


def last_states(witness: Witness) -> set[str]:
    """How each alert stands, as a subscriber sees it."""
    states: dict[str, str] = {}
    for payload in witness.payloads("monitor/v1/site/yard/alert"):
        body = json.loads(payload)
        states[body["id"]] = body["state"]
    return set(states.values())


def main(times: int) -> None:
    """Print the table's head and this one line."""
    with tempfile.TemporaryDirectory() as folder:
        print(HEAD, flush=True)  # noqa: T201
        print(daemon_killed(Path(folder), times), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
