"""The settings of the alert policy and its presets."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.config.policy import PRESETS, Policy
from monitor.domain import OCCLUDED, Covering, Severity

WHOLE_HEAD = {Covering.BALACLAVA, Covering.HARD_MASK, Covering.HELMET}

presets = pytest.mark.parametrize("table", PRESETS.values(), ids=PRESETS.keys())


def coverings(name: str, severity: Severity) -> set[Covering]:
    return {covering for covering, given in PRESETS[name].items() if given is severity}


@presets
def test_a_preset_says_something_about_every_covering(table: Mapping[Covering, Severity]) -> None:
    assert table.keys() == set(Covering)


@presets
def test_no_preset_reports_a_free_face_or_the_back_of_a_head(
    table: Mapping[Covering, Severity],
) -> None:
    assert {table[Covering.NONE], table[Covering.AWAY]} == {Severity.IGNORE}


@presets
def test_every_preset_finds_balaclavas_and_hard_masks_critical(
    table: Mapping[Covering, Severity],
) -> None:
    assert {table[Covering.BALACLAVA], table[Covering.HARD_MASK]} == {Severity.CRITICAL}


def test_a_replay_reports_everything() -> None:
    assert coverings("replay", Severity.CRITICAL) == WHOLE_HEAD
    assert coverings("replay", Severity.ALERT) == set(OCCLUDED) - WHOLE_HEAD


def test_a_bank_does_not_let_helmets_in_and_lets_hands_be() -> None:
    assert coverings("bank", Severity.CRITICAL) == WHOLE_HEAD
    assert Covering.SCARF in coverings("bank", Severity.ALERT)
    assert Covering.HAND_OBJECT in coverings("bank", Severity.IGNORE)


def test_no_two_presets_are_equal() -> None:
    tables = [tuple(table[covering] for covering in Covering) for table in PRESETS.values()]
    assert len(set(tables)) == len(tables)


@pytest.mark.parametrize("name", ["school", "retail"])
def test_masks_sunglasses_and_hands_are_everyday_sights(name: str) -> None:
    everyday = {Covering.MASK, Covering.MASK_INCORRECT, Covering.SUNGLASSES, Covering.HAND_OBJECT}
    assert coverings(name, Severity.IGNORE) == everyday | {Covering.NONE, Covering.AWAY}


def test_a_school_only_notes_the_scarves_and_helmets_of_the_way_to_it() -> None:
    assert coverings("school", Severity.NOTE) == {Covering.SCARF, Covering.HELMET}
    assert coverings("school", Severity.ALERT) == set()


def test_a_shop_wants_to_know_of_helmets_and_of_scarves_over_the_nose() -> None:
    assert coverings("retail", Severity.ALERT) == {Covering.SCARF, Covering.HELMET}
    assert coverings("retail", Severity.NOTE) == set()


@given(st.dictionaries(st.sampled_from(Covering), st.sampled_from(Severity)))
def test_changes_win_over_the_preset_and_touch_nothing_else(
    changes: dict[Covering, Severity],
) -> None:
    table = Policy(preset="school", severity=changes).get_severities()
    assert {covering: table[covering] for covering in changes} == changes
    rest = PRESETS["school"].keys() - changes.keys()
    assert all(table[covering] is PRESETS["school"][covering] for covering in rest)


@given(st.floats(0, 1), st.floats(0, 1))
def test_an_alert_must_not_end_where_it_begins(clear_at: float, raise_at: float) -> None:
    if clear_at < raise_at:
        assert Policy(clear_at=clear_at, raise_at=raise_at).raise_at == raise_at
    else:
        with pytest.raises(ValidationError, match="clear_at must be below raise_at"):
            Policy(clear_at=clear_at, raise_at=raise_at)


@pytest.mark.parametrize(
    "wrong",
    [
        {"raise_at": 1.1},
        {"min_crops": 0},
        {"half_life_s": 0},
        {"evidence_limit": -1},
        {"cooldown_s": -1},
        {"preset": "airport"},
        {"severity": {"beard": "note"}},
        {"severity": {"mask": "loud"}},
        {"cooldown": 3},
    ],
    ids=str,
)
def test_a_setting_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(wrong)
