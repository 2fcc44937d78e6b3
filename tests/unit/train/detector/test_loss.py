"""Nothing is learnt where the labels are in doubt."""

import torch  # noqa: TID253  (training is torch)

from monitor.domain import Kind
from monitor.train.detector.loss import Spared, spare, spared_anchors
from monitor.train.detector.model import build
from monitor.train.detector.scenes import KINDS

PERSON, HEAD = KINDS.index(Kind.PERSON), KINDS.index(Kind.HEAD)
ANCHORS = 64 + 16 + 4  # of a picture of 64 pixels, at strides 8, 16 and 32


def test_the_anchors_in_a_doubtful_box_are_left_out_for_its_class() -> None:
    mask = spared_anchors([(1, HEAD, [0, 0, 32, 64])], pictures=2, side=64, classes=2)
    assert mask.shape == (2, ANCHORS, 2)
    assert not mask[0].any()
    assert not mask[1, :, PERSON].any()
    fine = mask[1, :64, HEAD].view(8, 8)
    assert fine[:, :4].all()
    assert not fine[:, 4:].any()
    assert mask[1, 80:, HEAD].tolist() == [True, False, True, False]


def test_a_doubtful_anchor_costs_nothing_unless_something_sure_is_there() -> None:
    loss = Spared()
    loss.spared = spared_anchors([(1, HEAD, [0, 0, 32, 64])], pictures=2, side=64, classes=2)
    scores, targets = torch.ones(2, ANCHORS, 2), torch.zeros(2, ANCHORS, 2)
    targets[1, 0, HEAD] = 0.7
    losses = loss(scores, targets)
    assert losses[0].min() > 1
    assert losses[1, 0, HEAD] > 0
    assert losses[1, 1, HEAD] == 0


def test_the_loss_of_ultralytics_passes_no_gradient_where_all_is_in_doubt() -> None:
    model = build(seed=0)
    spared = spare(model.criterion)
    nothing = {
        "batch_idx": torch.zeros(0),
        "cls": torch.zeros(0),
        "bboxes": torch.zeros(0, 4),
    }
    totals = {}
    everywhere = [(0, kind, [0, 0, 64, 64]) for kind in (PERSON, HEAD)]
    for name, doubtful in (("sure", []), ("half", everywhere[:1]), ("doubtful", everywhere)):
        spared.spared = spared_anchors(doubtful, pictures=1, side=64, classes=2)
        outputs = model.train()(torch.full((1, 3, 64, 64), 0.5))
        losses, _ = model.criterion(outputs, nothing)
        totals[name] = float(losses.detach().sum())
        model.zero_grad()
        losses.sum().backward()
    assert totals["sure"] > totals["half"] > totals["doubtful"] == 0
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(float(gradient.abs().max()) == 0 for gradient in gradients)
