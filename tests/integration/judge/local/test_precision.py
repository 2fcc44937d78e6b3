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


@pytest.mark.parametrize(("precision", "within"), [("bfloat16", 0.05), ("int8", 0.3)])
def test_fewer_bits_say_nearly_the_same(folder: Path, precision: Precision, within: float) -> None:
    """Random weights of a tiny model, so eight bits cost more than in a trained one."""
    whole, fewer = rows(folder, "float32"), rows(folder, precision)
    assert np.abs(whole - fewer).max() < within
    assert (whole != fewer).any(), "it does compute in something else"


def test_a_small_model_is_left_as_it_is(folder: Path) -> None:
    assert np.array_equal(rows(folder, "auto"), rows(folder, "float32"))


def test_eight_bits_are_refused_where_they_cannot_be(folder: Path) -> None:
    with pytest.raises(ConfigError, match="int8 is for the CPU; set precision to auto"):
        LocalJudge(folder, clock=SteppingClock(), device="meta", precision="int8")


def test_a_model_that_makes_no_difference_between_pictures_is_refused(tmp_path: Path) -> None:
    blind = tiny_models.blinded(tiny_models.llava(tmp_path / "llava"))
    with pytest.raises(ConfigError, match="it says the same of two different pictures"):
        LocalJudge(blind, clock=SteppingClock()).warm_up()
