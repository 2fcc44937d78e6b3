"""A few cases of the judge matrix; all of them: ``python -m tests.stress.judge_matrix``."""

from pathlib import Path

import pytest

from tests.stress.judge_matrix import CASES, matrix

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.stress]

SHORT = ("sees a free face", "hangs", "obeys a T-shirt")


def test_the_alert_goes_out_whatever_the_verifier_does(tmp_path: Path) -> None:
    rows = matrix([case for case in CASES if case.name in SHORT], tmp_path, lambda _: None)
    assert [(row.case.name, row.states) for row in rows if not row.right] == []
    assert len(rows) == len(SHORT)
    assert {topic for row in rows for topic in row.topics} == {"monitor/v1/matrix/yard/alert"}
    shirt = rows[-1].thinking
    assert 0 < len(shirt) <= 200
    assert shirt.isprintable()
