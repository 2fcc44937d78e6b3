"""Two thresholds: one for somebody new, a lower one for somebody who is followed."""

import numpy as np
import pytest

from monitor.detect.two_thresholds import TwoThresholdDetector, doubtful_from
from monitor.domain import Kind
from monitor.geometry import Box
from monitor.ingest.frames.picture import ArrayPicture
from tests.support.fakes import ScriptedDetector, frame, head, person

HERE = Box(0, 0, 10, 10)


def test_each_kind_has_its_own_threshold_and_nothing_is_left_out() -> None:
    seen = [person(HERE, 0.4), head(HERE, 0.4), person(HERE, 0.3)]
    doubting = TwoThresholdDetector(ScriptedDetector({0: seen}), {Kind.PERSON: 0.4, Kind.HEAD: 0.5})
    (found,) = doubting.detect([frame(0, ArrayPicture(np.zeros((20, 20, 3), np.uint8)))])
    assert [(one.kind, one.score, one.sure) for one in found] == [
        (Kind.PERSON, 0.4, True),
        (Kind.HEAD, 0.4, False),
        (Kind.PERSON, 0.3, False),
    ]


def test_what_is_reported_below_a_threshold_is_of_the_kinds_that_have_one() -> None:
    low = doubtful_from({Kind.PERSON: 0.4, Kind.HEAD: 0.4})
    assert low == pytest.approx({Kind.PERSON: 0.18, Kind.HEAD: 0.2})
    assert doubtful_from({Kind.HEAD: 0.5}) == {Kind.HEAD: 0.25}
