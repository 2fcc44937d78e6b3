"""Where the time goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import JudgeUnavailableError
from monitor.runtime.meter import StageMeter

stages = st.sampled_from(["detect", "track", "judge"])


@given(st.lists(st.tuples(stages, st.floats(min_value=0, max_value=1e3))))
def test_each_stage_adds_up_by_itself(spent: list[tuple[str, float]]) -> None:
    meter = StageMeter()
    for stage, seconds in spent:
        meter.add(stage, seconds)
    totals = meter.get_totals_ms()
    assert totals.keys() == {stage for stage, _ in spent}
    for stage, total in totals.items():
        assert total == pytest.approx(1000 * sum(s for name, s in spent if name == stage))


def test_a_measured_block_counts_once_each_time() -> None:
    meter = StageMeter()
    with meter.measure("detect"):
        sum(range(1000))
    once = meter.get_totals_ms()["detect"]
    with meter.measure("detect"):
        sum(range(1000))
    assert 0 < once < meter.get_totals_ms()["detect"]


def test_a_block_that_fails_has_still_taken_its_time() -> None:
    meter = StageMeter()
    with pytest.raises(JudgeUnavailableError), meter.measure("judge"):
        raise JudgeUnavailableError("out of memory")
    assert meter.get_totals_ms()["judge"] > 0
