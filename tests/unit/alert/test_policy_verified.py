"""What a verifier's answer, or its silence, makes of an alert."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert.policy import AlertPolicy
from monitor.config.policy import Policy
from monitor.domain import OCCLUDED, Alert, AlertState, Covering, Severity, Verdict, VerifierAnswer
from monitor.geometry import Box
from tests.support.fakes import YARD, moment, subject, verdict

HEAD = Box(10, 10, 40, 50)
WITHIN_S = 5.0


class Verified:
    """One camera's policy with a verifier that is given words for."""

    def __init__(self, policy: Policy | None = None) -> None:
        ids = itertools.count(1)
        self.policy = AlertPolicy(
            YARD,
            policy or Policy(min_crops=2, cooldown_s=30),
            zone=None,
            lost_after_s=2.0,
            verify_within_s=WITHIN_S,
            new_id=lambda: UUID(int=next(ids)),
        )

    def step(
        self,
        seconds: float,
        *found: Verdict,
        says: Sequence[VerifierAnswer] = (),
        seen: bool = True,
    ) -> list[Alert]:
        there = [subject(1, seconds, HEAD, first_seen=0)] if seen else []
        self.policy.update_subjects(there, moment(seconds))
        return self.policy.decide(found, moment(seconds), says)

    def raised(self) -> Alert:
        """Subject 1's alert, raised by the first judge at 0.4 seconds."""
        (alert,) = self.step(0, verdict(1, 0, 0.95)) + self.step(0.4, verdict(1, 0.4, 0.95))
        return alert


def states(changes: Sequence[Alert]) -> list[str]:
    return [f"{alert.state} {alert.seq}" for alert in changes]


def make_answer(
    alert: Alert, occluded: float, covering: Covering = Covering.BALACLAVA
) -> VerifierAnswer:
    said = replace(verdict(1, 0.4, occluded, covering), thinking="wool", weight=3.0)
    return VerifierAnswer(alert.id, alert.seq, said)


def test_a_verifier_that_agrees_confirms_the_alert_under_the_same_id() -> None:
    watched = Verified()
    alert = watched.raised()
    (change,) = watched.step(0.8, says=[make_answer(alert, 0.97)])
    assert (change.id, change.seq, change.state) == (alert.id, 1, AlertState.CONFIRMED)
    assert (change.probability, change.thinking) == (0.97, "wool")
    assert watched.policy.settled
    ends = [watched.step(s / 10, verdict(1, s / 10, 0.02)) for s in range(12, 80, 4)]
    assert states([change for changes in ends for change in changes]) == ["ended 2"]


def test_a_verifier_that_sees_a_free_face_rejects_it_and_that_is_the_last_word() -> None:
    watched = Verified()
    (change,) = watched.step(0.8, says=[make_answer(watched.raised(), 0.03)])
    assert states([change]) == ["rejected 1"]
    assert (change.covering, change.probability) == (Covering.NONE, 0.03)
    assert watched.policy.alarmed == frozenset()
    later = [watched.step(s / 10, verdict(1, s / 10, 0.95)) for s in range(10, 300, 4)]
    assert [change for changes in later for change in changes] == []
    assert watched.policy.finish(moment(31)) == []


def test_without_an_answer_in_time_it_is_unverified() -> None:
    watched = Verified()
    watched.raised()
    assert watched.step(5.3) == []
    assert states(watched.step(5.4)) == ["unverified 1"]


@pytest.mark.parametrize("said", [None, verdict(1, 0.4, 0.9, unusable=0.8)])
def test_a_verifier_that_cannot_say_leaves_it_unverified_at_once(said: Verdict | None) -> None:
    watched = Verified()
    alert = watched.raised()
    (change,) = watched.step(0.8, says=[VerifierAnswer(alert.id, alert.seq, said)])
    assert states([change]) == ["unverified 1"]
    assert (change.covering, change.probability) == (alert.covering, alert.probability)


def test_an_answer_that_comes_too_late_or_to_another_alert_changes_nothing() -> None:
    watched = Verified()
    alert = watched.raised()
    assert watched.step(0.6, says=[VerifierAnswer(UUID(int=99), 0, None)]) == []
    assert states(watched.step(5.4)) == ["unverified 1"]
    assert watched.step(5.8, says=[make_answer(alert, 0.01)]) == []


def test_an_alert_ends_only_after_the_verifier_has_spoken() -> None:
    watched = Verified()
    alert = watched.raised()
    waiting = [watched.step(s / 10, seen=False) for s in range(8, 40, 4)]  # the subject has left
    assert not any(waiting)
    changes = watched.step(4.0, says=[make_answer(alert, 0.97)], seen=False)
    assert states(changes) == ["confirmed 1", "ended 2"]
    assert watched.step(4.4, seen=False) == []
    assert watched.policy.settled


def test_one_that_left_and_is_rejected_does_not_end_as_well() -> None:
    watched = Verified()
    alert = watched.raised()
    watched.step(4.0, seen=False)
    changes = watched.step(4.4, says=[make_answer(alert, 0.02)], seen=False)
    assert states(changes) == ["rejected 1"]


def test_a_face_that_is_covered_again_meanwhile_keeps_the_alert_open() -> None:
    watched = Verified()
    alert = watched.raised()
    for seconds, occluded in [(0.8, 0.02), (1.2, 0.02), (1.6, 0.02), (2.0, 0.02)]:
        assert watched.step(seconds, verdict(1, seconds, occluded)) == []
    for n in range(12):
        watched.step(2.4 + n * 0.2, verdict(1, 2.4 + n * 0.2, 0.98))
    changes = watched.step(4.9, says=[make_answer(alert, 0.97)])
    assert states(changes) == ["confirmed 1"]


def test_the_end_of_the_source_leaves_nothing_waiting() -> None:
    watched = Verified()
    watched.raised()
    assert states(watched.policy.finish(moment(1))) == ["unverified 1", "ended 2"]


def test_a_worse_covering_is_raised_and_verified_anew() -> None:
    watched = Verified(Policy(preset="school", min_crops=2))
    scarf = [verdict(1, n * 0.4, 0.95, Covering.SCARF) for n in range(2)]
    (alert,) = watched.step(0, scarf[0]) + watched.step(0.4, scarf[1])
    assert states(watched.step(0.6, says=[make_answer(alert, 0.9, Covering.SCARF)])) == [
        "confirmed 1"
    ]
    found = [watched.step(0.8 + n, verdict(1, 0.8 + n, 0.98)) for n in range(6)]
    (worse,) = [change for changes in found for change in changes]
    assert (worse.state, worse.seq, worse.severity) == (AlertState.RAISED, 2, Severity.CRITICAL)
    assert watched.step(6.2, says=[make_answer(alert, 0.97)]) == []  # about what it was before
    assert states(watched.step(6.3, says=[make_answer(worse, 0.97)])) == ["confirmed 3"]


def test_a_covering_that_is_ignored_here_rejects_the_alert() -> None:
    watched = Verified(Policy(preset="school", min_crops=2))
    (change,) = watched.step(0.8, says=[make_answer(watched.raised(), 0.97, Covering.MASK)])
    assert states([change]) == ["rejected 1"]
    assert change.covering is Covering.MASK


def test_the_verifiers_covering_decides_the_severity() -> None:
    watched = Verified(Policy(preset="school", min_crops=2))
    (change,) = watched.step(0.8, says=[make_answer(watched.raised(), 0.97, Covering.SCARF)])
    assert (change.state, change.severity) == (AlertState.CONFIRMED, Severity.NOTE)


def test_a_verifier_that_names_no_covering_leaves_it_as_it_was() -> None:
    watched = Verified()
    alert = watched.raised()
    shares = dict.fromkeys(OCCLUDED, 0.95 / len(OCCLUDED)) | {Covering.NONE: 0.05}
    said = replace(verdict(1, 0.4, 0.5), probabilities=shares)
    (change,) = watched.step(0.8, says=[VerifierAnswer(alert.id, alert.seq, said)])
    assert (change.state, change.covering) == (AlertState.CONFIRMED, alert.covering)


def test_a_verifiers_verdict_counts_for_several_crops() -> None:
    plain, weighty = Verified(), Verified()
    for watched, weight in [(plain, 1.0), (weighty, 3.0)]:
        watched.step(0, verdict(1, 0, 0.6))
        watched.step(0.4, replace(verdict(1, 0.4, 0.97), weight=weight))
    before, after = (
        watched.policy.get_belief(subject(1, 0, HEAD).id) for watched in (plain, weighty)
    )
    assert before is not None
    assert after is not None
    assert after[1] > before[1]


STEPS = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from(["agree", "deny", "silent", "shrug"]), st.booleans()
    ),
    min_size=1,
    max_size=40,
)


@given(STEPS)
def test_every_alert_goes_through_its_states_in_order(
    steps: list[tuple[float, str, bool]],
) -> None:
    """Raised, then one answer, then the end; seq without gaps; a rejected one is over."""
    watched, changes, last = Verified(Policy(min_crops=1, cooldown_s=0)), [], None
    for n, (occluded, answer, seen) in enumerate(steps):
        says: list[VerifierAnswer] = []
        if last is not None and answer != "silent":
            said = {"agree": 0.97, "deny": 0.02}.get(answer)
            says = [
                make_answer(last, said)
                if said is not None
                else VerifierAnswer(last.id, last.seq, None)
            ]
        found = watched.step(n * 0.7, verdict(1, n * 0.7, occluded), says=says, seen=seen)
        last = next((c for c in reversed(found) if c.state is AlertState.RAISED), None) or last
        changes += found
    changes += watched.policy.finish(moment(99))
    for alert in {change.id for change in changes}:
        life = [change for change in changes if change.id == alert]
        words = " ".join(change.state for change in life)
        assert [change.seq for change in life] == list(range(len(life)))
        assert words.startswith("raised ")
        assert words.endswith(("rejected", "ended"))
        assert words.count("raised") == sum(
            words.count(w) for w in ("confirmed", "rejected", "unverified")
        )
