"""A pytest plugin for .ci/run: a skipped test is a failed one.

A test that skips itself because something is not installed would go unnoticed for ever.
Only the marks ``gpu`` and ``model`` may skip: what they need no build machine has.
"""

from collections.abc import Generator

import pytest

_MAY_SKIP = ("gpu", "model")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    expected = hasattr(report, "wasxfail")
    if report.skipped and not expected and not any(map(item.get_closest_marker, _MAY_SKIP)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: object) -> str:
    """Why a test was skipped; pytest gives file, line and reason."""
    return str(longrepr[-1]) if isinstance(longrepr, tuple) else str(longrepr)
