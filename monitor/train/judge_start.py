"""Going on from earlier weights: a judge's, or those of the teacher of its tower."""

import logging
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from monitor.errors import ConfigError

_LOG = logging.getLogger(__name__)


def take_over(model: Any, folder: Path) -> int:  # noqa: ANN401  (transformers is untyped)
    """Copy every weight that has the same name and shape; returns how many tensors fitted.

    Raises:
        ConfigError: The folder holds no model, or one of which nothing fits.
    """
    try:
        earlier: Any = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: no judge to start from: {error}") from error
    own = model.state_dict()
    fitting = {
        name: weights
        for name, weights in earlier.state_dict().items()
        if name in own and own[name].shape == weights.shape
    }
    if not fitting:
        raise ConfigError(f"{folder}: none of its weights fits this shape")
    model.load_state_dict(fitting, strict=False)
    _LOG.info("%d of %d tensors taken over from %s", len(fitting), len(own), folder)
    return len(fitting)


def take_tower(model: Any, teacher: Path) -> None:  # noqa: ANN401
    """Give a judge's efficient tower the weights of a teacher that judge_teacher trained.

    The two name their layers differently and have them in the same order; the teacher knows no
    squeeze and excitation. It was shown pictures of half the contrast, so the first filters
    are halved.

    Raises:
        ConfigError: The teacher's layers are not the tower's.
    """
    tower = model.model.vision_tower
    own = tower.state_dict()
    told = torch.load(teacher, weights_only=True)
    given = [weights for name, weights in told.items() if not name.startswith("_fc")]
    names = [name for name in own if "squeeze_excite" not in name]
    if [own[name].shape for name in names] != [weights.shape for weights in given]:
        raise ConfigError(f"{teacher}: not the weights of an EfficientNet-lite0; remove tower")
    state = dict(zip(names, given, strict=True))
    state["embeddings.convolution.weight"] = state["embeddings.convolution.weight"] / 2
    tower.load_state_dict(own | state)
