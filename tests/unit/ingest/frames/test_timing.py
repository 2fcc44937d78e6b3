"""Choosing the frames that are looked at."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.frames.timing import MAX_GAP_S, ArrivalSampler, Timeline, TimelineSampler

RATES = st.integers(1, 60)


@given(camera_fps=RATES, analysis_fps=RATES, count=st.integers(1, 500))
def test_a_recording_gives_one_frame_for_each_multiple_of_the_period(
    camera_fps: int, analysis_fps: int, count: int
) -> None:
    sampler = TimelineSampler(analysis_fps)
    taken = [n / camera_fps for n in range(count) if sampler.take(n / camera_fps)]
    length_s = (count - 1) / camera_fps
    if analysis_fps >= camera_fps:
        assert len(taken) == count
    else:
        assert abs(len(taken) - (1 + length_s * analysis_fps)) <= 1
    assert taken[0] == 0
    for place, seconds in enumerate(taken):
        if analysis_fps < camera_fps:
            assert -0.0011 <= seconds - place / analysis_fps < 1 / camera_fps, "never drifts"


def test_milliseconds_that_were_rounded_down_lose_no_frame() -> None:
    """A Matroska file at 30 pictures a second says 0, 33, 66, 99, 133 ms..."""
    sampler = TimelineSampler(10)
    stamps = [int(1000 * n / 30) / 1000 for n in range(10)]
    assert [n for n, seconds in enumerate(stamps) if sampler.take(seconds)] == [0, 3, 6, 9]


def test_a_gap_in_a_recording_is_not_made_up_for() -> None:
    sampler = TimelineSampler(5)
    times = [0.0, 0.1, 0.2, 60.0, 60.1, 60.2]
    assert [t for t in times if sampler.take(t)] == [0.0, 0.2, 60.0, 60.2]


@given(
    camera_fps=st.integers(2, 60),
    analysis_fps=st.integers(1, 30),
    jitter=st.lists(st.floats(-0.1, 0.1), min_size=300, max_size=300),
)
def test_a_camera_is_looked_at_as_often_as_is_asked_for(
    camera_fps: int, analysis_fps: int, jitter: list[float]
) -> None:
    """Frames that come up to a tenth of an interval early or late."""
    sampler = ArrivalSampler(analysis_fps)
    arrivals = [1000 + (n + late) / camera_fps for n, late in enumerate(jitter)]
    taken = [seconds for seconds in arrivals if sampler.take(seconds)]
    wanted = min(camera_fps, analysis_fps) * (arrivals[-1] - arrivals[0])
    assert taken[0] == arrivals[0]
    assert len(taken) == pytest.approx(wanted, abs=2 + 0.02 * wanted)
    shortest = 0.75 / analysis_fps - 1 / camera_fps
    assert all(later - sooner > shortest for sooner, later in pairwise(taken))


def test_after_a_silence_a_camera_is_looked_at_at_once_and_not_more_often() -> None:
    sampler = ArrivalSampler(5)
    arrivals = [0.0, 10.0, 10.05, 10.1, 10.2, 10.25, 10.4]
    assert [t for t in arrivals if sampler.take(t)] == [0.0, 10.0, 10.2, 10.4]


@given(
    stamps=st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=1),
    base=st.sampled_from([Fraction(1, 90_000), Fraction(1, 1000), Fraction(1001, 30_000)]),
)
def test_seconds_begin_at_nought_and_grow_whatever_the_stamps(
    stamps: list[int | None], base: Fraction
) -> None:
    timeline = Timeline(base, fps=25)
    seconds = [timeline.place(pts) for pts in stamps]
    assert seconds[0] == 0
    assert all(0 < later - sooner <= MAX_GAP_S + 1 for sooner, later in pairwise(seconds))


def test_good_stamps_are_kept_from_wherever_they_begin() -> None:
    timeline = Timeline(Fraction(1, 1000), fps=25)
    assert [timeline.place(pts) for pts in (5000, 5040, 5100)] == pytest.approx([0, 0.04, 0.1])


def test_missing_stamps_count_frames() -> None:
    timeline = Timeline(Fraction(1, 1000), fps=20)
    assert [timeline.place(None) for _ in range(3)] == pytest.approx([0, 0.05, 0.1])


def test_one_wild_stamp_does_not_move_the_rest() -> None:
    timeline = Timeline(Fraction(1, 1000), fps=20)
    stamps = (0, 50, 2**60, 150, 200)
    assert [timeline.place(pts) for pts in stamps] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])


def test_stamps_that_jump_back_go_on_from_where_they_were() -> None:
    """Two recordings that were glued together."""
    timeline = Timeline(Fraction(1, 1000), fps=20)
    stamps = (0, 50, 100, 0, 50, 100)
    assert [timeline.place(pts) for pts in stamps] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25])
