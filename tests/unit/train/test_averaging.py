"""The running average of a model that learns."""

import pytest
import torch  # noqa: TID253  (the tests of the training need what the training needs)

from monitor.train.averaging import follow


def test_weights_and_statistics_move_a_little_and_counters_are_copied() -> None:
    average, model = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.running_mean.fill_(10.0)
        model.num_batches_tracked.fill_(7)
    follow(average, model, keep=0.9)
    assert average.weight.item() == pytest.approx(1.2)
    assert average.running_mean.item() == pytest.approx(1.0)
    assert average.num_batches_tracked.item() == 7
    assert model.weight.item() == 3.0
