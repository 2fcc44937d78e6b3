"""One message, or one topic, that is refused holds up nothing else."""

from datetime import UTC, datetime
from uuid import UUID

from monitor.publish.outbox.outbox import OutboxMessage
from monitor.publish.outbox.relay import RefusalBackoff

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def alert(number: int, topic: str = "yard") -> OutboxMessage:
    return OutboxMessage(UUID(int=number), 0, topic, b"", NOON)


def test_a_topic_that_was_refused_is_tried_with_another_alert() -> None:
    refusals = RefusalBackoff(2)
    refusals.record_refusal(alert(1), now=0)
    assert refusals.find_closed_topics(1.9, ()) == ["yard"]
    assert refusals.find_closed_topics(2.1, ()) == []
    assert refusals.find_held_alerts(2.1) == {UUID(int=1)}
    assert refusals.find_closed_topics(2.1, {"yard"}) == ["yard"], "one at a time"
    assert refusals.find_held_alerts(4.1) == set(), "there may be no other"


def test_a_topic_that_is_granted_again_flows_at_once() -> None:
    refusals = RefusalBackoff(2)
    for number in range(5):
        refusals.record_refusal(alert(number), now=2.0 * number)
    assert not refusals.is_clear
    refusals.record_success(alert(9))
    assert refusals.find_closed_topics(8, ()) == []
    assert refusals.find_held_alerts(8) == set()
    assert refusals.is_clear


def test_an_alert_that_alone_is_refused_waits_alone_and_ever_longer() -> None:
    refusals, now, pauses = RefusalBackoff(2), 0.0, list[float]()
    refusals.record_success(alert(2))
    for _ in range(6):
        refusals.record_refusal(alert(1), now)
        assert refusals.find_closed_topics(now, ()) == [], "the others go on"
        refusals.record_success(alert(2))
        again = next(s for s in range(1, 99) if not refusals.find_held_alerts(now + s))
        pauses.append(again)
        now += again
    assert pauses == [4, 8, 16, 32, 60, 60]
    refusals.record_success(alert(1))
    assert refusals.is_clear


def test_a_right_that_is_taken_away_closes_the_topic_and_no_other() -> None:
    refusals = RefusalBackoff(2)
    refusals.record_success(alert(1))
    refusals.record_success(alert(2, "gate"))
    refusals.record_refusal(alert(3), 0)
    refusals.record_refusal(alert(4), 0)
    assert refusals.find_closed_topics(1, ()) == ["yard"]
