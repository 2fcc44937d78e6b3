"""One server for all judges on other machines."""

from collections.abc import Iterator

import pytest

from tests.support.judge_process import JudgeProcess


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JudgeProcess]:
    """Started once, as that takes seconds."""
    with JudgeProcess(tmp_path_factory.mktemp("judge")) as process:
        yield process


@pytest.fixture
def server(running: JudgeProcess) -> JudgeProcess:
    """The server, up and well whatever the test before has done to it."""
    running.mode("fine")
    return running
