"""Break the way of alerts to the broker, one case for each way, with a real mosquitto.

    python -m tests.stress.fault_matrix [KILLS]

prints the table. Long outages are shortened; KILLS is how often the carrier, and then a whole
daemon, is killed.
"""

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stress.fault_bench import HEAD, Key, Row, carrying, drained, keys, raise_all, story
from tests.stress.fault_disk import disk_full, one_client_id_for_two, outbox_full
from tests.stress.fault_help import away, behind_proxy, refused_at_first, waiting
from tests.stress.fault_kills import daemon_killed
from tests.support.broker import Mosquitto, Witness
from tests.support.broker_proxy import LinkFault
from tests.support.carrier import carrier, read_stored
from tests.support.certificates import certificate
from tests.support.ports import free_port
from tests.support.waiting import until

OUTAGE_S = 2.0  # stands for ten minutes; several times ACK_S
ACK_S = 0.5  # how long the carrier waits for an acknowledgement, so that tests are short


def down_at_start(folder: Path) -> Row:
    """The witness was there before: for a listener it knows, a broker keeps what comes."""
    broker = Mosquitto(folder, durable=True)
    with (
        broker,
        Witness(broker.port) as witness,
        away(witness, broker) as come_back,
        carrying(folder / "us", broker.port) as outbox,
    ):
        raised = raise_all(outbox, story(40))
        come_back()
        return drained("broker down at start", raised, witness, outbox)


def restarted(folder: Path) -> Row:
    with (
        Mosquitto(folder, durable=True) as broker,
        Witness(broker.port) as witness,
        carrying(folder / "us", broker.port) as outbox,
    ):
        with witness.across_a_loss():
            raised = raise_all(outbox, story(20), 0.01)
            broker.restart()
            raised += raise_all(outbox, story(20, first=20), 0.01)
        return drained("restarted in the middle", raised, witness, outbox)


def unreachable(folder: Path) -> Row:
    """Packets vanish, also those of new connections: a cable is pulled."""
    with (
        behind_proxy(folder) as (proxy, witness),
        carrying(folder / "us", proxy.port, ack_timeout_s=ACK_S) as outbox,
    ):
        with proxy.fault(LinkFault.SWALLOW):
            raised = raise_all(outbox, story(200), OUTAGE_S / 400)
        return drained("unreachable, 200 alerts meanwhile", raised, witness, outbox)


def half_open(folder: Path) -> Row:
    """The connection stands but carries nothing; a new one would."""
    with (
        behind_proxy(folder) as (proxy, witness),
        carrying(folder / "us", proxy.port, ack_timeout_s=ACK_S) as outbox,
    ):
        raised = raise_all(outbox, story(10))
        until(lambda: len(outbox) == 0)
        with proxy.fault(LinkFault.SWALLOW, new_ones_too=False):
            raised += raise_all(outbox, story(40, first=10))
            row = drained("TCP half-open", raised, witness, outbox)
        assert proxy.swallowed, "nothing was swallowed: the case did not happen"
        return row


def reset_before_the_acknowledgement(folder: Path) -> Row:
    with (
        behind_proxy(folder) as (proxy, witness),
        carrying(folder / "us", proxy.port) as outbox,
    ):
        with proxy.fault(LinkFault.CUT):
            raised = raise_all(outbox, story(10))
            until(lambda: proxy.cuts >= 5, "five resets")
        remark = f"{proxy.cuts} resets"
        return drained("reset after PUBLISH, before PUBACK", raised, witness, outbox, remark=remark)


def wrong_password(folder: Path) -> Row:
    password = folder / "password"
    password.write_text("right")
    broker = Mosquitto(folder)
    broker.require({"box": "wrong", "ear": "ear"})
    settings: dict[str, Any] = {"username": "box", "password_file": password}
    with (
        broker,
        Witness(broker.port, user=("ear", "ear")) as witness,
        carrying(folder / "us", broker.port, **settings) as outbox,
    ):
        raised = refused_at_first(lambda: raise_all(outbox, story(40)), witness)
        broker.require({"box": "right", "ear": "ear"})
        broker.reload()
        return drained("CONNACK refused: bad password", raised, witness, outbox)


def not_authorised(folder: Path) -> Row:
    """A client without a name is refused; later every client is admitted."""
    broker = Mosquitto(folder)
    broker.require({"ear": "ear"})
    with (
        broker,
        Witness(broker.port, user=("ear", "ear")) as witness,
        carrying(folder / "us", broker.port) as outbox,
    ):
        raised = refused_at_first(lambda: raise_all(outbox, story(40)), witness)
        broker.admit_anybody()
        broker.reload()
        return drained("CONNACK refused: not authorised", raised, witness, outbox)


def no_right_to_publish(folder: Path) -> Row:
    broker = Mosquitto(folder)
    broker.allow("topic read monitor/#")
    with (
        broker,
        Witness(broker.port) as witness,
        carrying(folder / "us", broker.port) as outbox,
    ):
        raised = refused_at_first(lambda: raise_all(outbox, story(40)), witness)
        broker.allow("topic readwrite monitor/#")
        broker.reload()
        return drained("PUBLISH refused: no right to the topic", raised, witness, outbox)


def wrong_ca(folder: Path) -> Row:
    return certificate_mended(folder, "wrong CA", days=2)


def expired_certificate(folder: Path) -> Row:
    return certificate_mended(folder, "expired certificate", days=-1)


def certificate_mended(folder: Path, case: str, days: int) -> Row:
    """The broker shows another certificate than ours trusts, or an old one; then the right one."""
    good, key = certificate(folder, "good")
    bad, bad_key = (
        certificate(folder, "stranger") if days > 0 else certificate(folder, "old", days=days)
    )
    trusted = folder / "trusted.pem"
    trusted.write_text(good.read_text() + ("" if days > 0 else bad.read_text()))
    shown, shown_key = folder / "shown.pem", folder / "shown.key"
    shutil.copy(bad, shown)
    shutil.copy(bad_key, shown_key)
    tls_port = free_port()
    broker = Mosquitto(
        folder,
        durable=True,
        settings=[f"listener {tls_port} 127.0.0.1", f"certfile {shown}", f"keyfile {shown_key}"],
    )
    with (
        broker,
        Witness(broker.port) as witness,
        carrying(folder / "us", tls_port, tls={"ca_file": trusted}) as outbox,
    ):
        raised = refused_at_first(lambda: raise_all(outbox, story(40)), witness)
        shutil.copy(good, shown)
        shutil.copy(key, shown_key)
        with witness.across_a_loss():
            broker.restart()
        return drained(case, raised, witness, outbox)


def acknowledgements_vanish(folder: Path) -> Row:
    with (
        behind_proxy(folder) as (proxy, witness),
        carrying(folder / "us", proxy.port, ack_timeout_s=ACK_S) as outbox,
    ):
        with proxy.fault(LinkFault.NO_ACKS):
            raised = raise_all(outbox, story(40), OUTAGE_S / 80)
        assert proxy.swallowed
        return drained("acknowledgements dropped for a while", raised, witness, outbox)


def killed_again_and_again(folder: Path, times: int = 10) -> Row:
    """SIGKILL at a random moment, most of them in the middle of carrying."""
    rng = random.Random(5)  # noqa: S311  (moments, not secrets)
    raised: dict[Key, None] = {}
    before_sending = before_removing = 0
    with Mosquitto(folder, durable=True) as broker, Witness(broker.port) as witness:
        for round_ in range(times):
            first, count = 1000 * round_, rng.randrange(4, 40)
            with carrier(
                folder / "outbox", broker.port, first, 400, module="tests.stress.fault_carrier"
            ) as process:
                read_stored(process, count)
                time.sleep(rng.uniform(0, 0.02))
            time.sleep(0.05)  # what has left is with the witness by now
            left, there = waiting(folder), set(witness.keys())
            before_sending += any(key not in there for key in left)
            before_removing += any(key in there for key in left)
            said = keys(list(story(400, first=first)))[: count + 1]
            raised |= dict.fromkeys([*said, *left])
        raised |= dict.fromkeys(witness.keys())
        with carrying(folder, broker.port) as outbox:
            remark = (
                f"{times} kills: {before_sending} before sending, {before_removing} before removing"
            )
            return drained("SIGKILL at random", list(raised), witness, outbox, remark=remark)


CASES: tuple[Callable[[Path], Row], ...] = (
    down_at_start,
    restarted,
    unreachable,
    half_open,
    reset_before_the_acknowledgement,
    wrong_password,
    not_authorised,
    no_right_to_publish,
    wrong_ca,
    expired_certificate,
    acknowledgements_vanish,
    killed_again_and_again,
    daemon_killed,
    disk_full,
    outbox_full,
    one_client_id_for_two,
)


def main(kills: int) -> None:
    """Print the table."""
    print(HEAD, flush=True)  # noqa: T201
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            if case is killed_again_and_again:
                row = killed_again_and_again(Path(folder), kills)
            elif case is daemon_killed:
                row = daemon_killed(Path(folder), kills)
            else:
                row = case(Path(folder))
            print(row, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
