"""The judge's towers, computed by either engine as transformers computes them."""

from collections.abc import Callable
from typing import Any

import pytest

from monitor.errors import JudgeUnavailableError
from monitor.judge.local.folding import is_open
from monitor.judge.local.tower import OpenVinoTower, TorchTower, Tower, open_tower
from monitor.train.judge.model import Shape, build_model, build_processor

SIDE = 64
SHAPES = {
    "residual": Shape(crop_px=SIDE, widths=(8, 16, 24), depths=(1, 2, 1), text_width=32),
    "efficient": Shape(crop_px=SIDE, text_width=32, tower="efficient"),
}
ENGINES: list[Callable[[Any], Tower]] = [TorchTower, lambda network: OpenVinoTower(network, SIDE)]


@pytest.fixture(params=SHAPES)
def network(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401
    """A tower whose norms are those of some noise, so that something comes out of it."""
    import torch

    torch.manual_seed(2)
    shape = SHAPES[request.param]
    tower = build_model(shape, build_processor(shape).tokenizer).model.vision_tower.train()
    for module in tower.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all it sees
    with torch.no_grad():
        tower(1 + 2 * torch.randn(8, 3, SIDE, SIDE))
    return tower.eval()


@pytest.mark.parametrize("engine", ENGINES, ids=["torch", "openvino"])
def test_each_engine_computes_what_transformers_does(
    engine: Callable[[Any], Tower],
    network: Any,  # noqa: ANN401
) -> None:
    import torch

    crops = torch.randn(3, 3, SIDE, SIDE)
    with torch.inference_mode():
        expected = network(crops, return_dict=True).last_hidden_state
        found = engine(network)(crops)
    assert expected.std() > 1e-3
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-3 * float(expected.abs().max()))


def test_a_gate_that_looks_at_the_picture_is_left_to_torch() -> None:
    import torch

    shape = SHAPES["efficient"]
    network = build_model(shape, build_processor(shape).tokenizer).model.vision_tower.eval()
    gate = network.encoder.blocks[1].squeeze_excite
    assert is_open(gate)
    del gate.forward  # the training's short cut
    gate.reduce.weight.data.fill_(1.0)
    gate.expand.weight.data.fill_(-40.0)
    assert not is_open(gate)
    with pytest.raises(JudgeUnavailableError, match="squeezes and excites"):
        OpenVinoTower(network, SIDE)
    crops = torch.randn(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        expected = network(crops, return_dict=True).last_hidden_state
        tower = open_tower(network, SIDE)
        assert torch.allclose(tower(crops), expected, atol=1e-4)
    assert tower.engine == "torch"
