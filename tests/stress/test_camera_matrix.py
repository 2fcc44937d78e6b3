"""The camera matrix and the soak, small: the commands in tests/ are the large ones."""

from pathlib import Path

import pytest

from tests.stress.camera_matrix import LIMIT_S, Settings, matrix
from tests.stress.soak import Settings as SoakSettings
from tests.stress.soak import soak
from tests.stress.soak_report import Lags, Report, growth, verdict
from tests.support.camera_bench import Resources

pytestmark = pytest.mark.rtsp

RECONNECTS = 8
GROWTH_MB = 30.0  # of a process that has just begun; the large one shows that it levels off


@pytest.mark.slow
@pytest.mark.stress
def test_a_camera_comes_back_from_every_fault_and_the_others_go_on(tmp_path: Path) -> None:
    settings = Settings(
        cameras=4,
        hold_s=0.4,
        black_s=0.4,
        reconnects=RECONNECTS,
        rates_s=0.4,
        width=320,
        fps=10,
        stages=("SETUP",),
    )
    with matrix(settings, tmp_path) as cameras:
        rows = {row.fault: row for row in cameras.rows()}
        held = [resources for _, resources in cameras.reconnect()]
        assert all(one.reader.status().reconnects == 0 for one in cameras.well.values())
        assert all(one.reader.status().fps > 0 for one in cameras.well.values())
    assert {fault for fault, row in rows.items() if row.back_s >= LIMIT_S} == set()
    assert len(rows) == 15
    assert rows["power off, then on"].reconnects == 1
    assert rows["stall, TCP alive"].reconnects == 0
    assert rows["H.264 to H.265 and back"].reconnects >= 1, "its decoder is another one"
    assert rows["dead from the start, then on"].reconnects == 0, "it is the first connection"
    assert rows["time stamps wrap"].reconnects == 0
    assert rows["640x360 to 1280x720 and back"].reconnects == 0
    first, last = held[0], held[-1]
    assert last.descriptors <= first.descriptors + 1
    assert last.threads <= first.threads + 1
    assert last.resident_mb < first.resident_mb + GROWTH_MB


@pytest.mark.slow
@pytest.mark.stress
def test_no_camera_is_stuck_after_random_faults(tmp_path: Path) -> None:
    settings = SoakSettings(
        minutes=0.08,
        cameras=2,
        fault_every_s=1,
        longest_s=1,
        report_s=3,
        settle_s=2,
        width=320,
        fps=10,
    )
    with soak(settings, tmp_path) as cameras:
        reports = list(cameras.reports())
    assert reports[-1].faults > 1
    assert [report.stuck for report in reports] == [[]] * len(reports)
    assert sum(report.lags.frames for report in reports) > 20
    assert reports[-1].lags.within(0.5) <= reports[-1].lags.within(1)
    assert "-" in str(reports[-1])
    lines, well = verdict(reports)
    assert well
    assert "stuck: none" in lines


def test_what_the_process_holds_is_counted(tmp_path: Path) -> None:
    before = Resources.now()
    with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
        assert Resources.now().descriptors == before.descriptors + 2
    assert before.threads >= 1
    assert before.resident_mb > 10


def test_lags_are_told_by_the_share_of_frames_that_waited_no_longer() -> None:
    lags = Lags.of([0.001] * 90 + [0.2] * 9 + [3.0])
    assert [lags.within(share) for share in (0.5, 0.9, 0.95, 0.99, 1)] == [1, 1, 200, 200, 3000]
    assert Lags().within(0.5) == 0


def test_a_leak_is_told_by_what_it_adds_in_an_hour_and_a_stuck_camera_by_name() -> None:
    reports = [
        Report(minute, 0, 0, Resources(20, 9, 500 + minute), Lags.of([0.1]), stuck)
        for minute, stuck in ((1.0, ()), (2.0, ()), (3.0, ("yard",)), (4.0, ("yard",)))
    ]
    assert growth(reports, "resident_mb") == pytest.approx(60)
    assert growth(reports, "threads") == pytest.approx(0)
    lines, well = verdict(reports)
    assert not well
    assert "stuck: yard" in lines
    assert "resident_mb: 502 at 2 min, 504 at 4 min, +60.0 an hour" in lines
