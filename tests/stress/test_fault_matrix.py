"""No fault costs an alert: each case of the matrix, counted at an independent subscriber."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stress.fault_bench import Row
from tests.stress.fault_matrix import CASES

# Paho leaves the socket of a failed handshake to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.stress,
    pytest.mark.broker,
    pytest.mark.timeout(600),  # one case starts three daemons, on a machine that may be busy
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_no_alert_is_lost_or_out_of_order(case: Callable[[Path], Row], tmp_path: Path) -> None:
    row = case(tmp_path)
    print(row)  # noqa: T201  (pytest -s shows the table)
    assert row.raised > 0
    assert row.lost == 0
    assert row.distinct == row.raised
    assert row.out_of_order == 0
    assert row.received >= row.distinct
