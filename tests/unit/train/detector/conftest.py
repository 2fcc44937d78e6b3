"""A folder of made-up scenes, and one thread for torch: the networks are small."""

from pathlib import Path

import pytest
import torch  # noqa: TID253  (training is torch)

from tests.support.detector_scenes import write_scenes


@pytest.fixture(scope="session", autouse=True)
def _use_one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve scenes with their table."""
    write_scenes(tmp_path)
    return tmp_path
