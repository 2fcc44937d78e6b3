"""Which verdicts become an alert, and how its life goes on."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.policy import Policy
from monitor.domain import Alert, AlertState, Covering, Evidence, Severity, Subject
from tests.support.fakes import YARD, moment, subject, verdict
from tests.support.policies import HEAD, LOST_AFTER_S, STEP_S, PolicySteps


def states(changes: Sequence[Alert]) -> list[str]:
    return [f"{alert.state} {alert.seq}" for alert in changes]


def test_a_covered_face_raises_one_alert_and_no_more() -> None:
    (alert,) = PolicySteps().watch(*[0.95] * 20)
    assert (alert.seq, alert.state, alert.severity) == (0, AlertState.RAISED, Severity.CRITICAL)
    assert (alert.camera, alert.subject, alert.zone) == (YARD, 1, "door")
    assert (alert.covering, alert.judge.name) == (Covering.BALACLAVA, "blue")
    assert (alert.first_seen, alert.raised_at) == (moment(0), moment(STEP_S))
    assert alert.timings.judge == 5.0


def test_one_crop_is_not_enough_however_sure() -> None:
    watched = PolicySteps()
    assert watched.watch(1.0) == []
    assert watched.policy.alarmed == frozenset()


@pytest.mark.parametrize("needed", [1, 2, 5])
def test_an_alert_comes_with_the_crop_that_makes_enough(needed: int) -> None:
    watched = PolicySteps(Policy(min_crops=needed))
    assert watched.watch(*[0.98] * (needed - 1)) == []
    assert states(watched.watch(0.98, start=needed * STEP_S)) == ["raised 0"]


def test_crops_that_do_not_agree_start_again() -> None:
    watched = PolicySteps(Policy(min_crops=3))
    assert watched.watch(0.98, 0.98, 0.45, 0.98, 0.98) == []
    assert states(watched.watch(0.98, start=5 * STEP_S)) == ["raised 0"]


def test_two_people_do_not_confirm_each_other() -> None:
    watched = PolicySteps()
    assert watched.step(0, verdict(1, 0, 0.98), verdict(2, 0, 0.98), seen=(1, 2)) == []


def test_a_free_face_raises_nothing() -> None:
    assert PolicySteps().watch(*[0.05] * 20) == []


def test_a_face_that_is_free_again_ends_the_alert() -> None:
    watched = PolicySteps()
    changes = watched.watch(*[0.95] * 4, *[0.02] * 6)
    assert states(changes) == ["raised 0", "ended 1"]
    assert len({alert.id for alert in changes}) == 1
    assert changes[1].raised_at == changes[0].raised_at
    assert watched.policy.alarmed == frozenset()


def test_crops_that_cannot_be_evaluated_change_nothing() -> None:
    """Neither "unusable" nor the back of a head says that the face is free, or covered."""
    plain, disturbed = PolicySteps(), PolicySteps()
    for n in range(12):
        seconds = n * STEP_S
        crop = verdict(1, seconds, 0.95 if n < 4 else 0.05)
        dark = verdict(1, seconds, 1.0, unusable=0.9)
        turned = verdict(1, seconds, 0.9, Covering.AWAY)
        changes = disturbed.step(seconds, dark, turned, crop, turned, dark)
        assert changes == plain.step(seconds, crop)
        assert disturbed.policy.get_belief(subject(1, 0, HEAD).id) == plain.policy.get_belief(
            subject(1, 0, HEAD).id
        )


def test_verdicts_about_nobody_known_are_ignored() -> None:
    watched = PolicySteps(Policy(min_crops=1))
    assert watched.step(0, verdict(7, 0, 0.99), seen=(1,)) == []


def test_an_alert_ends_when_its_subject_is_gone() -> None:
    watched = PolicySteps()
    empty = [watched.policy.empty]
    watched.watch(*[0.95] * 3)
    assert watched.step(2 * STEP_S + LOST_AFTER_S, seen=()) == []
    empty.append(watched.policy.empty)
    (ended,) = watched.step(2 * STEP_S + LOST_AFTER_S + 0.1, seen=())
    assert states([ended]) == ["ended 1"]
    assert [*empty, watched.policy.empty] == [True, False, True]
    assert watched.step(60, seen=()) == []


def test_a_source_that_ends_ends_what_is_open() -> None:
    watched = PolicySteps()
    watched.watch(*[0.95] * 3)
    assert states(watched.policy.finish(moment(5))) == ["ended 1"]
    assert watched.policy.finish(moment(6)) == []


def test_the_cooldown_keeps_a_subject_from_crying_wolf() -> None:
    watched = PolicySteps(Policy(min_crops=2, cooldown_s=10))
    watched.watch(*[0.95] * 4)
    ended_at = next(
        n * STEP_S
        for n in range(4, 20)
        if states(watched.step(n * STEP_S, verdict(1, n * STEP_S, 0.02))) == ["ended 1"]
    )
    (second,) = watched.watch(*[0.98] * 40, start=ended_at + STEP_S)
    assert (second.id, second.seq, second.state) == (UUID(int=2), 0, AlertState.RAISED)
    assert ended_at + 10 <= second.raised_at.seconds <= ended_at + 10 + STEP_S


def test_a_subject_that_left_and_comes_back_is_reported_again_at_once() -> None:
    """The id is kept by place and colours, so it may be another person, as covered as the first."""
    watched = PolicySteps(Policy(min_crops=2, cooldown_s=30))
    watched.watch(*[0.95] * 4)
    assert states(watched.step(6, seen=())) == ["ended 1"]
    (second,) = watched.watch(*[0.95] * 4, start=8)
    assert (second.id, second.state) == (UUID(int=2), AlertState.RAISED)


def test_without_a_cooldown_the_next_alert_comes_at_once() -> None:
    watched = PolicySteps(Policy(min_crops=2, cooldown_s=0))
    changes = watched.watch(*[0.95] * 4, *[0.02] * 6, *[0.98] * 8)
    assert states(changes) == ["raised 0", "ended 1", "raised 0"]


def test_a_worse_covering_sends_the_alert_again_and_a_lesser_one_does_not() -> None:
    watched = PolicySteps(Policy(min_crops=2, severity={Covering.SCARF: Severity.NOTE}))
    named = [Covering.SCARF] * 3 + [Covering.BALACLAVA] * 8 + [Covering.SCARF] * 20
    changes = []
    for n, covering in enumerate(named):
        changes += watched.step(n * STEP_S, verdict(1, n * STEP_S, 0.95, covering))
    assert states(changes) == ["raised 0", "raised 1"]
    assert [alert.severity for alert in changes] == [Severity.NOTE, Severity.CRITICAL]
    assert [alert.covering for alert in changes] == [Covering.SCARF, Covering.BALACLAVA]
    assert len({alert.id for alert in changes}) == 1
    assert changes[1].raised_at == changes[0].raised_at


def test_no_alert_is_raised_for_what_is_ignored() -> None:
    watched = PolicySteps(Policy(min_crops=2, severity={Covering.MASK: Severity.IGNORE}))
    for n in range(20):
        assert watched.step(n * STEP_S, verdict(1, n * STEP_S, 0.98, Covering.MASK)) == []


def test_who_was_clear_and_comes_back_is_judged_afresh() -> None:
    """Another person may have taken the id over while it was out of sight."""
    watched = PolicySteps()
    watched.watch(*[0.02] * 10)
    back = 9 * STEP_S + 1.5
    changes = watched.watch(0.95, 0.95, start=back)
    assert states(changes) == ["raised 0"]
    assert changes[0].raised_at == moment(back + STEP_S)


def test_who_was_clear_all_the_time_must_be_seen_covered_for_longer() -> None:
    watched = PolicySteps()
    watched.watch(*[0.02] * 10)
    assert watched.watch(0.95, 0.95, start=10 * STEP_S) == []


def test_an_alert_survives_a_gap() -> None:
    watched = PolicySteps()
    watched.watch(*[0.95] * 4)
    assert watched.step(3 * STEP_S + 1.5) == []
    assert watched.policy.alarmed == {1}


def test_an_alert_about_somebody_out_of_view_knows_when_they_were_first_seen() -> None:
    """The judge answers late, in a frame in which the detector misses the subject."""
    watched = PolicySteps()
    watched.step(0.0)
    watched.step(0.5)
    (alert,) = watched.step(0.6, verdict(1, 0.0, 0.95), verdict(1, 0.5, 0.95), seen=())
    assert alert.first_seen == moment(0)


def test_evidence_that_is_added_later_stays_with_the_alert() -> None:
    watched = PolicySteps()
    (raised,) = watched.watch(0.95, 0.95)
    kept = Evidence("1/snapshot.jpg", None, "0" * 64)
    watched.policy.attach_evidence(replaced(raised, kept))
    (ended,) = watched.policy.finish(moment(9))
    assert (ended.evidence, ended.seq) == (kept, 1)


def test_evidence_for_a_state_that_has_passed_does_not_bring_it_back() -> None:
    """Verdicts that come in one lot may raise an alert and end it in one step."""
    watched = PolicySteps(Policy(min_crops=2, half_life_s=0.1))
    lot = [verdict(1, 0, 0.98), verdict(1, 0.1, 0.98), *(verdict(1, 2, 0.02) for _ in range(3))]
    changes = watched.step(2, *lot)
    assert states(changes) == ["raised 0", "ended 1"]
    watched.policy.attach_evidence(replaced(changes[0], Evidence("1/snapshot.jpg", None, "0" * 64)))
    assert watched.policy.alarmed == frozenset()
    assert watched.policy.finish(moment(9)) == []


def replaced(alert: Alert, evidence: Evidence) -> Alert:
    return replace(alert, evidence=evidence)


crops = st.builds(
    lambda number, occluded, covering, unusable: (number, occluded, covering, unusable),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.8, 0.97, 1.0]),
    st.sampled_from(Covering),
    st.sampled_from([0.0, 0.0, 0.3, 0.8]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.2, 0.4, 1.0, 3.0, 40.0]),
        st.sets(st.integers(1, 3)),
        st.lists(crops, max_size=4),
    ),
    max_size=40,
)
policies = st.builds(
    Policy,
    preset=st.sampled_from(["replay", "bank", "school", "retail"]),
    min_crops=st.integers(1, 3),
    cooldown_s=st.sampled_from([0.0, 1.0, 30.0]),
    half_life_s=st.sampled_from([0.5, 4.0]),
)


@given(policies, steps)
@settings(max_examples=300)
def test_every_alert_has_one_life(
    policy: Policy, film: list[tuple[float, set[int], list[tuple[int, float, Covering, float]]]]
) -> None:
    watched, seconds = PolicySteps(policy), 0.0
    lives: dict[UUID, list[Alert]] = {}
    for pause, seen, found in film:
        seconds += pause
        verdicts = [verdict(n, seconds, p, c, unusable=u) for n, p, c, u in found]
        for alert in watched.step(seconds, *verdicts, seen=sorted(seen)):
            lives.setdefault(alert.id, []).append(alert)
        still_open = [life[0].subject for life in lives.values() if is_open(life)]
        assert len(still_open) == len(set(still_open)), "one open alert per subject"
        assert set(still_open) == watched.policy.alarmed
    for alert in watched.policy.finish(moment(seconds)):
        lives.setdefault(alert.id, []).append(alert)
    for life in lives.values():
        assert [alert.seq for alert in life] == list(range(len(life)))
        kinds = [alert.state for alert in life]
        assert kinds == [AlertState.RAISED] * (len(life) - 1) + [AlertState.ENDED]
        assert len({alert.subject for alert in life}) == 1
        assert all(policy.get_severities()[alert.covering] is alert.severity for alert in life)
        assert Severity.IGNORE not in {alert.severity for alert in life}
        assert all(alert.probability >= policy.raise_at for alert in life[:1])


def is_open(life: list[Alert]) -> bool:
    return life[-1].state is not AlertState.ENDED


def test_a_subject_is_known_by_its_likeliest_covering() -> None:
    watched = PolicySteps()
    somebody: Subject = subject(1, 0, HEAD)
    assert watched.policy.get_belief(somebody.id) is None
    watched.watch(0.9)
    covering, probability = watched.policy.get_belief(somebody.id) or (None, 0)
    assert covering is Covering.BALACLAVA
    assert probability == pytest.approx(0.9)
