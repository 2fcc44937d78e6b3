"""Adding up what several crops said."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.alert.fusion import LogOddsFusion, log_odds
from monitor.config.policy import Policy
from monitor.domain import Covering, Verdict
from tests.support.fakes import verdict

probabilities = st.floats(0, 1)
crops = st.lists(st.tuples(st.floats(0, 20), probabilities), min_size=1, max_size=12)


def fused(*found: Verdict, half_life_s: float = 4, limit: float = 6) -> LogOddsFusion:
    evidence = LogOddsFusion(Policy(half_life_s=half_life_s, evidence_limit=limit))
    for each in found:
        evidence.add(each)
    return evidence


def told(*found: tuple[float, float], half_life_s: float = 4, limit: float = 6) -> LogOddsFusion:
    """What crops at (seconds, probability of being occluded) add up to."""
    verdicts = [verdict(1, seconds, occluded) for seconds, occluded in found]
    return fused(*verdicts, half_life_s=half_life_s, limit=limit)


def test_nothing_is_known_before_the_first_crop() -> None:
    assert told().probability == 0.5
    assert told().belief is None


@given(crops, st.floats(0.1, 12), st.floats(0.1, 60))
def test_certainty_is_bounded(
    found: list[tuple[float, float]], limit: float, half_life_s: float
) -> None:
    probability = told(*found, limit=limit, half_life_s=half_life_s).probability
    most = 1 / (1 + math.exp(-limit))
    assert 1 - most - 1e-9 <= probability <= most + 1e-9


@given(crops, st.data(), probabilities)
def test_a_crop_that_says_more_never_makes_it_less(
    found: list[tuple[float, float]], data: st.DataObject, more: float
) -> None:
    which = data.draw(st.integers(0, len(found) - 1))
    seconds, occluded = found[which]
    assume(more >= occluded)
    raised = [*found[:which], (seconds, more), *found[which + 1 :]]
    assert told(*raised).probability >= told(*found).probability - 1e-12


@given(crops)
def test_a_covered_face_is_to_a_free_one_as_a_picture_to_its_negative(
    found: list[tuple[float, float]],
) -> None:
    negative = [(seconds, 1 - occluded) for seconds, occluded in found]
    assert told(*negative).probability == pytest.approx(1 - told(*found).probability)


@given(probabilities)
def test_no_single_crop_is_believed_more_than_it_can_know(occluded: float) -> None:
    assert 0.02 - 1e-9 <= told((0, occluded)).probability <= 0.98 + 1e-9
    assert abs(log_odds(occluded)) <= math.log(0.98 / 0.02) + 1e-9


def test_one_crop_is_believed_as_it_is() -> None:
    assert told((0, 0.7)).probability == pytest.approx(0.7)


def test_crops_that_agree_make_it_surer() -> None:
    grows = [told(*[(0, 0.7)] * count).probability for count in (1, 2, 3)]
    assert grows == sorted(set(grows))


def test_the_same_mistake_a_hundred_times_is_still_one_mistake() -> None:
    thrice, ever_again = (told(*[(0, 0.6)] * times).probability for times in (3, 100))
    assert ever_again == pytest.approx(thrice)
    assert thrice < 0.8


def test_evidence_counts_half_after_its_half_life() -> None:
    """log-odds (-1 * 0.5 + 1) / 1.5 crops' weight * 1.5 crops = +0.5."""
    p = 1 / (1 + math.exp(-1))
    evidence = told((0, 1 - p), (4, p), half_life_s=4)
    assert evidence.probability == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_crops_that_arrive_out_of_order_do_not_rejuvenate_the_old_ones() -> None:
    late = told((0, 0.9), (8, 0.9), (4, 0.1)).probability
    assert late < told((0, 0.9), (8, 0.9)).probability
    assert told((0, 0.9), (8, 0.9), (4, 0.1), (8, 0.9)).probability > 0.5


def test_fresh_crops_outweigh_old_ones_however_many() -> None:
    evidence = told(*[(0.1 * n, 0.98) for n in range(50)], (60, 0.05), (60.4, 0.05))
    assert evidence.probability < 0.1


@pytest.mark.parametrize(
    ("found", "agreeing"),
    [
        pytest.param([], 0, id="nobody looked"),
        pytest.param([0.9], 1, id="one crop"),
        pytest.param([0.9, 0.6, 0.99], 3, id="three that say covered"),
        pytest.param([0.1, 0.2], 2, id="two that say free"),
        pytest.param([0.9, 0.9, 0.9, 0.4], 1, id="the last says otherwise"),
        pytest.param([0.9, 0.9, 0.9, 0.4, 0.9], 1, id="a row that was broken starts again"),
        pytest.param([0.02, 0.02, 0.9, 0.9], 2, id="a row against what was believed before"),
    ],
)
def test_a_row_of_crops_that_agree_is_counted(found: list[float], agreeing: int) -> None:
    assert told(*[(0.4 * n, occluded) for n, occluded in enumerate(found)]).agreeing == agreeing


def test_the_covering_is_the_one_that_was_named_most() -> None:
    named = [(Covering.MASK, 0.6), (Covering.BALACLAVA, 0.9), (Covering.MASK, 0.6)]
    evidence = fused(*[verdict(1, 0, p, covering) for covering, p in named])
    assert evidence.covering is Covering.MASK
    assert evidence.belief == (Covering.MASK, evidence.probability)


def test_what_was_named_long_ago_fades() -> None:
    masks = [verdict(1, 0, 0.9, Covering.MASK) for _ in range(4)]
    assert fused(*masks, verdict(1, 20, 0.9, Covering.SCARF)).covering is Covering.SCARF


def test_a_face_that_is_rather_free_is_called_free() -> None:
    covering, probability = told((0, 0.2)).belief or (None, 0)
    assert covering is Covering.NONE
    assert probability == pytest.approx(0.2)


def test_forgetting_what_was_clear_leaves_nothing_of_it() -> None:
    evidence = told((0, 0.02), (0.4, 0.02))
    evidence.forget_clear()
    assert (evidence.probability, evidence.belief, evidence.agreeing) == (0.5, None, 0)
    evidence.add(verdict(1, 0.8, 0.9))
    assert evidence.probability == pytest.approx(0.9)


def test_what_was_covered_is_not_forgotten_with_what_was_clear() -> None:
    evidence = told((0, 0.9), (0.4, 0.9))
    before = evidence.probability
    evidence.forget_clear()
    assert evidence.probability == before
