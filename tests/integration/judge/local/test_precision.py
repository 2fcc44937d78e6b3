"""The local judge in fewer bits, and what it does with pictures of any size."""

from pathlib import Path

import numpy as np
import pytest

from monitor.errors import ConfigError
from monitor.judge.local.load import Precision
from monitor.judge.local.local_judge import LocalJudge
from tests.support import tiny_models
from tests.support.crops import SteppingClock, crops, row


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.qwen(tmp_path_factory.mktemp("qwen"))


def rows(folder: Path, precision: Precision) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    judge = LocalJudge(folder, clock=SteppingClock(), precision=precision)
    return np.array([row(verdict) for verdict in judge.judge(crops(3))])


def test_fewer_bits_say_nearly_the_same(folder: Path) -> None:
    whole, fewer = rows(folder, "float32"), rows(folder, "bfloat16")
    assert np.abs(whole - fewer).max() < 0.05
    assert (whole != fewer).any(), "it does compute in something else"


def test_a_small_model_is_left_as_it_is(folder: Path) -> None:
    assert np.array_equal(rows(folder, "auto"), rows(folder, "float32"))


def test_a_model_that_makes_no_difference_between_pictures_is_refused(tmp_path: Path) -> None:
    blind = tiny_models.blinded(tiny_models.llava(tmp_path / "llava"))
    with pytest.raises(ConfigError, match="it says the same of two different pictures"):
        LocalJudge(blind, clock=SteppingClock()).warm_up()
